package flags

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/alecthomas/kong"

	"tripod/installer"
	"tripod/installer/lazyregexp"
)

// DefaultKeys are the keys for hosts that come without a login. Each is one
// project's: a key for all would let whoever may ask for work in one project
// log in to the hosts of every other.
type DefaultKeys struct {
	DefaultKey  []string `placeholder:"[PROJECT=]FILE" help:"Private key for the hosts of a project that come without a login (default project: \"default\"); can be repeated."`
	DefaultPass []string `name:"default-key-passphrase-file" placeholder:"[PROJECT=]FILE" help:"Passphrase of that project's default key."`
}

// ofProject tells PROJECT=FILE from a file whose name has a '=' in it: that one
// is written ./a=b. otherwise is the project where none is named.
var ofProject = lazyregexp.New(`^([A-Za-z0-9_-]{1,64})=(.*)$`)

func perProject(flag, otherwise string, values []string, faults *installer.Faults) map[string]string {
	files := map[string]string{}
	for _, value := range values {
		project, file := otherwise, value
		if parts := ofProject().FindStringSubmatch(value); parts != nil {
			project, file = parts[1], parts[2]
		}
		switch _, twice := files[project]; {
		case file == "":
			faults.Add(flag, "names no file: must be [PROJECT=]FILE")
		case twice:
			faults.Add(flag, "the project %q has two: give one for each project", project)
		default:
			files[project] = kong.ExpandPath(file)
		}
	}
	return files
}

// Logins reads the keys, by project.
func (f DefaultKeys) Logins(ctx context.Context, warn warning) (map[string]installer.Login, error) {
	const keyFlag, passFlag = "--default-key", "--default-key-passphrase-file"
	var faults installer.Faults
	keys := perProject(keyFlag, installer.DefaultProject, f.DefaultKey, &faults)
	passphrases := perProject(passFlag, installer.DefaultProject, f.DefaultPass, &faults)
	for project := range passphrases {
		if _, ok := keys[project]; !ok {
			faults.Add(passFlag, "the project %q has no %s", project, keyFlag)
		}
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	logins := map[string]installer.Login{}
	for _, project := range slices.Sorted(maps.Keys(keys)) {
		file := keys[project]
		key, passphrase, err := readIdentity(ctx, fmt.Sprintf("%s of project %s", keyFlag, project), file, passphrases[project])
		if err != nil {
			return nil, err
		}
		for _, secret := range []string{file, passphrases[project]} {
			warnIfReadable(warn, secret)
		}
		logins[project] = installer.Login{PrivateKey: key, Passphrase: passphrase}
	}
	return logins, nil
}
