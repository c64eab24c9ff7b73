package recipe

import (
	"maps"
	"slices"
	"strings"

	"tripod/installer"
	"tripod/installer/recipe/hostshell"
)

// scriptFiles are the user's script and the files beside it.
func (w *work) scriptFiles() []installer.BlobRef {
	return append([]installer.BlobRef{*w.inv.Spec.Script}, w.inv.Spec.Send...)
}

// scriptArgs name the script, and the files beside it with their names there.
func (w *work) scriptArgs() []string {
	args := []string{"script=" + w.inv.Spec.Script.SHA256}
	var beside []string
	for _, f := range w.inv.Spec.Send {
		beside = append(beside, f.SHA256+":"+f.Name)
	}
	if len(beside) > 0 {
		args = append(args, "beside="+strings.Join(beside, ","))
	}
	return args
}

// scriptStart is what the runner evaluates before it starts the script: its folder, variables and arguments.
func (w *work) scriptStart() string {
	inv := w.inv
	vars := map[string]string{}
	maps.Copy(vars, inv.Spec.Env)
	maps.Copy(vars, inv.Host.Vars)
	for name, value := range w.job.Credentials.Vars {
		vars[name] = value.Reveal()
	}
	maps.Copy(vars, map[string]string{
		"TRIPOD_HOST_NAME": inv.Host.Name, "TRIPOD_HOST_ADDRESS": inv.Host.Address, "TRIPOD_HOST_ID": inv.Host.ID,
		"TRIPOD_INVOCATION_ID": inv.ID, "TRIPOD_BATCH_ID": inv.BatchID,
	})
	var b strings.Builder
	b.WriteString("cd ./work || exit\n")
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		b.WriteString("export " + name + "=" + hostshell.Quote(vars[name]) + "\n")
	}
	b.WriteString("set --")
	for _, arg := range inv.Spec.ScriptArgs {
		b.WriteString(" " + hostshell.Quote(arg))
	}
	return b.String() + "\n"
}
