package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/pkgfile"
)

// Catalogue keeps the packages, which are one for all projects: only the
// operator's project changes them over the network.
type Catalogue interface {
	installer.Blobs
	Packages(ctx context.Context, target string) ([]installer.Package, error)
	AddPackage(ctx context.Context, p installer.Package) error
	RemovePackage(ctx context.Context, sha string) error
}

type packageList struct {
	Packages []installer.Package `json:"packages"`
}

func (s service) packageRoutes() []api.Route {
	return []api.Route{
		{Method: http.MethodGet, Pattern: root + "/packages", Handle: func(r *api.Request) (any, error) {
			all, err := s.Store.Packages(r.Context(), r.URL.Query().Get("target"))
			return packageList{all}, err
		}},
		{Method: http.MethodPost, Pattern: root + "/packages", Handle: s.addPackage, Wait: longest},
		{Method: http.MethodDelete, Pattern: root + "/packages/{sha256}", Handle: s.removePackage},
	}
}

// operatorOnly refuses what would touch other projects.
func (s service) operatorOnly(r *api.Request, why string) error {
	if r.Principal.Local() || s.Operator != "" && r.Principal.Project == s.Operator {
		return nil
	}
	return api.Refuse(http.StatusForbidden, api.CodeForbidden, "%s: only a login of the operator's project changes it (serve --operator-project)", why)
}

// asProject is the request's context for what belongs to no project: the audit log
// tells whose login it was, since names of tokens are one project's.
func asProject(r *api.Request) context.Context {
	if r.Principal.Local() {
		return r.Context()
	}
	return installer.WithActorProject(r.Context(), r.Principal.Project)
}

// addPackage looks into the archive again: what a client says of it is not
// taken for true.
func (s service) addPackage(r *api.Request) (any, error) {
	if err := s.operatorOnly(r, "the catalogue is one for all projects"); err != nil {
		return nil, err
	}
	var p installer.Package
	if err := decode(r.Body, &p); err != nil {
		return nil, err
	}
	var faults installer.Faults
	spec := installer.Spec{Target: p.Target, HostKeys: s.HostKeys, Packages: []installer.BlobRef{p.BlobRef}}
	if err := s.spec(r.Context(), r.Principal.Project, "package", spec, spec.Packages, &faults); err != nil {
		return nil, err
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	if err := s.inspect(p); err != nil {
		return nil, err
	}
	p.Added = s.Clock()
	return struct{}{}, refusal(s.Store.AddPackage(asProject(r), p))
}

func (s service) inspect(p installer.Package) error {
	blob, err := s.Store.OpenBlob(p.BlobRef)
	if err != nil {
		return err
	}
	info, err := pkgfile.Inspect(io.NewSectionReader(blob, 0, p.Size), p.Name)
	switch {
	case errors.Is(err, pkgfile.ErrNotPackage):
		return installer.Faults{{Where: p.Name, What: err.Error()}}
	case err != nil:
		return err
	case info.Arch != "" && info.Arch != p.Arch:
		return installer.Faults{{Where: p.Name, What: fmt.Sprintf("is for %s, not for %s", info.Arch, p.Arch)}}
	}
	return nil
}

func (s service) removePackage(r *api.Request) (any, error) {
	if err := s.operatorOnly(r, "the catalogue is one for all projects"); err != nil {
		return nil, err
	}
	sha := r.PathValue("sha256")
	if !installer.SHA256Form.MatchString(sha) {
		return nil, installer.ErrNotFound
	}
	return struct{}{}, refusal(s.Store.RemovePackage(asProject(r), sha))
}

// Packages returns the catalogue for a target; an empty one: all of it.
func (c *Client) Packages(ctx context.Context, target string) ([]installer.Package, error) {
	var list packageList
	err := c.change(ctx, "", http.MethodGet, c.path("packages")+"?"+url.Values{"target": {target}}.Encode(), nil, &list, "", "")
	return list.Packages, err
}

// AddPackage puts an archive that PutBlob has sent into the catalogue.
func (c *Client) AddPackage(ctx context.Context, p installer.Package) error {
	return c.change(ctx, "", http.MethodPost, c.path("packages"), p, new(struct{}), "file", p.Name)
}

// RemovePackage takes an archive out of the catalogue.
func (c *Client) RemovePackage(ctx context.Context, sha string) error {
	return c.change(ctx, "", http.MethodDelete, c.path("packages", sha), nil, new(struct{}), "package", sha)
}
