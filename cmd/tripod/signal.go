package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"tripod/installer"
)

// untilSignal returns a context that ends, with ErrShutdown as its cause, at
// the first SIGINT, SIGTERM or SIGHUP. From then on signals have their own
// effect again: a second one ends the process at once.
func untilSignal(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // under nohup it stays ignored
		signals = append(signals, syscall.SIGHUP)
	}
	got := make(chan os.Signal, 1)
	signal.Notify(got, signals...)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-got:
			signal.Stop(got)
			cancel(installer.ErrShutdown)
		case <-ctx.Done():
			signal.Stop(got)
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-done
	}
}
