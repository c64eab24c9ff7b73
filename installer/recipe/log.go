package recipe

import (
	"io"
	"strconv"

	"tripod/installer"
)

// markLog journals where the log stands: the script's output will begin there.
func (w *work) markLog(rec *installer.StepRecord) {
	if log, ok := w.output().(installer.Rewinder); ok {
		if at, err := log.Position(); err == nil {
			rec.Found.Log = &at
		}
	}
}

// rewindLog prepares the log for output that is read again from a byte of it on: it takes the place of
// the part that a process that died, or an earlier attempt, has read. What comes before, the host no
// longer keeps: it stays in the log. (Where secrets were removed, the place is not exact.)
func (w *work) rewindLog(from int64) {
	if log, ok := w.output().(installer.Rewinder); ok {
		if at, known := w.logBegan(w.found.run.by); known && log.Rewind(at+from) == nil {
			return
		}
	}
	_, _ = io.WriteString(w.output(), "[tripod: attached to a run that is there; its output from the beginning]\n")
}

// logBegan is where the log stood when the attempt named by key first staged its script.
func (w *work) logBegan(key string) (int64, bool) {
	for _, a := range w.inv.Attempts {
		if key != w.inv.ID+"."+strconv.Itoa(a.Number) {
			continue
		}
		for _, rec := range a.Steps {
			if rec.Found.Log != nil && rec.Step == installer.StepStage {
				return *rec.Found.Log, true
			}
		}
	}
	return 0, false
}
