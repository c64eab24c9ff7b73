package recipe

import "tripod/installer"

// targetCodes maps the exit codes of the target's scripts (scripts/README.md)
// to kinds.
var targetCodes = map[int]installer.Kind{
	2:  installer.KindInternal, // our settings file
	10: installer.KindSudoDenied,
	11: installer.KindUnsupportedHost,
	12: installer.KindNoSpace,
	13: installer.KindPackageMissing,
	14: installer.KindScriptFailed,
	15: installer.KindScriptFailed,
	16: installer.KindVerifyFailed,
	17: installer.KindVerifyFailed,
}

// exitKind is the kind of a target script's exit code that is not 0.
func exitKind(code int, step installer.Step) installer.Kind {
	if kind, ok := targetCodes[code]; ok {
		return kind
	}
	switch step {
	case installer.StepProbe:
		return installer.KindUnsupportedHost
	case installer.StepVerify:
		return installer.KindVerifyFailed
	}
	return installer.KindScriptFailed
}
