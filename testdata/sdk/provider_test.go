package sdk

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// provider plays the Terraform provider's resource
// huaweicloud_ces_agent_maintenance_task and its data sources, as far as a
// server can tell: the same JSON, headers, signature, paging and verdicts.
// It is written from the provider's published source, version of August 2026,
// and knows neither Tripod nor the SDK.
type provider struct {
	endpoint, project string
	access, secret    string
	// poll is the pause before each look; the provider's is 10 s.
	poll time.Duration
	// timeout of a create; the provider's is 10 min.
	timeout time.Duration
	// polled counts the looks.
	polled int
}

// resource is the resource's arguments. Those left empty are not sent.
type resource struct {
	invocationType, instanceID, invocationID string
	versionType, version                     string
}

func (r resource) body() map[string]any {
	body := map[string]any{"invocation_type": r.invocationType, "invocation_target": "telescope"}
	for name, v := range map[string]string{"version_type": r.versionType, "version": r.version} {
		if v != "" {
			body[name] = v
		}
	}
	for name, v := range map[string]string{"instance_ids": r.instanceID, "invocation_ids": r.invocationID} {
		if v != "" {
			body[name] = []string{v}
		}
	}
	return body
}

// create asks for the task and waits for it, and returns its id.
func (p *provider) create(ctx context.Context, r resource) (id string, err error) {
	answer, err := p.request(ctx, http.MethodPost, "/agent-invocations/batch-create", r.body(), nil, 200, 201, 202)
	if err != nil {
		return "", fmt.Errorf("error creating CES agent maintenance task: %w", err)
	}
	first := firstOf(answer, "invocations")
	if first["ret_status"] != "successful" {
		return "", fmt.Errorf("error creating CES agent maintenance task: %v", answer)
	}
	id, _ = first["invocation_id"].(string)
	if id == "" {
		return "", fmt.Errorf("error creating CES agent maintenance task: ID is not found in API response")
	}
	if err := p.wait(ctx, id); err != nil {
		return id, fmt.Errorf("error waiting for agent maintenance task creation completed: %w", err)
	}
	return id, nil
}

// wait polls until the task has succeeded. Any other end is an error, and so
// is a task that is not listed.
func (p *provider) wait(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	for {
		select {
		case <-time.After(p.poll):
		case <-ctx.Done():
			return ctx.Err()
		}
		p.polled++
		task, err := p.read(ctx, id)
		if err != nil {
			return err
		}
		switch status, _ := task["invocation_status"].(string); status {
		case "SUCCEEDED":
			return nil
		case "PENDING", "RUNNING":
		default:
			return fmt.Errorf("agent maintenance task abnormal status: %s", status)
		}
	}
}

// read is one look at the resource.
func (p *provider) read(ctx context.Context, id string) (map[string]any, error) {
	answer, err := p.request(ctx, http.MethodGet, "/agent-invocations?invocation_id="+id, nil, nil, 200)
	if err != nil {
		return nil, err
	}
	task := firstOf(answer, "invocations")
	if task == nil {
		return nil, fmt.Errorf("resource %s not found", id)
	}
	return task, nil
}

// moreHeaders are what the data sources send on top.
var moreHeaders = map[string]string{"Content-Type": "application/json", "X-Language": "en-us"}

// tasks is the data source: page after page, until one is empty.
func (p *provider) tasks(ctx context.Context, filter map[string]string) ([]any, error) {
	const limit = 100
	var all []any
	for offset := 0; ; offset += limit {
		q := url.Values{"limit": {fmt.Sprint(limit)}, "offset": {fmt.Sprint(offset)}}
		for name, v := range filter {
			q.Set(name, v)
		}
		answer, err := p.request(ctx, http.MethodGet, "/agent-invocations?"+q.Encode(), nil, moreHeaders, 200)
		if err != nil {
			return nil, err
		}
		page, _ := answer["invocations"].([]any)
		if len(page) == 0 {
			return all, nil
		}
		all = append(all, page...)
	}
}

// statuses is the other data source.
func (p *provider) statuses(ctx context.Context, query map[string]any) ([]any, error) {
	answer, err := p.request(ctx, http.MethodPost, "/agent-status/batch-query", query, moreHeaders, 200, 201, 202)
	if err != nil {
		return nil, err
	}
	rows, _ := answer["agent_status"].([]any)
	return rows, nil
}

// request sends one signed request.
func (p *provider) request(ctx context.Context, method, path string, body any, headers map[string]string, good ...int) (map[string]any, error) {
	var raw bytes.Buffer
	if body != nil {
		enc := json.NewEncoder(&raw) // ends in a newline
		enc.SetEscapeHTML(false)
		if err := enc.Encode(body); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, p.endpoint+"/v3/"+p.project+path, bytes.NewReader(raw.Bytes()))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "terraform-provider-iac golangsdk/2.0.0")
	for name, v := range headers {
		req.Header.Set(name, v)
	}
	p.sign(req, raw.Bytes())
	req.Header.Set("X-Project-Id", p.project) // after the signature: not in it

	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(good, resp.StatusCode) {
		return nil, fmt.Errorf("%s %s: %d instead of %v, request %s: %s",
			method, path, resp.StatusCode, good, resp.Header.Get("X-Request-Id"), text)
	}
	var answer map[string]any
	return answer, json.Unmarshal(text, &answer)
}

// sign signs all headers that the request has by now.
func (p *provider) sign(req *http.Request, body []byte) {
	date := time.Now().UTC().Format("20060102T150405Z")
	req.Header.Set("X-Sdk-Date", date)
	var names []string
	for name := range req.Header {
		names = append(names, strings.ToLower(name))
	}
	slices.Sort(names)
	canonical := []string{req.Method, req.URL.EscapedPath() + "/", strings.ReplaceAll(req.URL.Query().Encode(), "+", "%20")}
	for _, name := range names {
		canonical = append(canonical, name+":"+strings.TrimSpace(req.Header.Get(name)))
	}
	canonical = append(canonical, "", strings.Join(names, ";"), sha256Hex(body))
	toSign := "SDK-HMAC-SHA256\n" + date + "\n" + sha256Hex([]byte(strings.Join(canonical, "\n")))
	mac := hmac.New(sha256.New, []byte(p.secret))
	mac.Write([]byte(toSign))
	req.Header.Set("Authorization", fmt.Sprintf("SDK-HMAC-SHA256 Access=%s, SignedHeaders=%s, Signature=%x",
		p.access, strings.Join(names, ";"), mac.Sum(nil)))
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// firstOf is the first object of a list in an answer, or nil.
func firstOf(answer map[string]any, list string) map[string]any {
	all, _ := answer[list].([]any)
	if len(all) == 0 {
		return nil
	}
	first, _ := all[0].(map[string]any)
	return first
}
