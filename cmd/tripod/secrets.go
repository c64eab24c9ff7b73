package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"tripod/installer"
	"tripod/installer/privkey"
)

// askOrRead gets a password from the prompt or from the first line of a file.
func askOrRead(ctx context.Context, askFlag string, ask bool, question, fileFlag, file string) (installer.Secret, error) {
	switch {
	case ask:
		secret, err := askSecret(ctx, question)
		if errors.Is(err, errNoTerminal) {
			return secret, usageError(fmt.Errorf("%s: %w", askFlag, err), "give the password with "+fileFlag+" FILE")
		}
		if errors.Is(err, errPromptEnded) {
			return secret, usageError(fmt.Errorf("%s: %w", askFlag, err), "")
		}
		return secret, err
	case file != "":
		secret, err := readFirstLine(file)
		if err != nil {
			return secret, usageError(fmt.Errorf("%s: %w", fileFlag, err), "")
		}
		return secret, nil
	}
	return installer.Secret{}, nil
}

// readFirstLine reads a secret from a file: its first line, byte for byte,
// without the line end.
func readFirstLine(file string) (installer.Secret, error) {
	raw, err := readSmall(file)
	if err != nil {
		return installer.Secret{}, err
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	line = strings.TrimSuffix(line, "\r")
	switch {
	case line == "":
		return installer.Secret{}, fmt.Errorf("%s: the first line is empty", file)
	case !utf8.ValidString(line):
		return installer.Secret{}, fmt.Errorf("%s: the first line is not UTF-8", file)
	}
	return installer.NewSecret(line), nil
}

// readIdentity reads a private key and, where it is encrypted, its passphrase
// from passphraseFile or a prompt. It tells at once if the key cannot be used.
func readIdentity(ctx context.Context, flag, file, passphraseFile string) (key, passphrase installer.Secret, err error) {
	if file == "" {
		return key, passphrase, nil
	}
	raw, err := readSmall(file)
	if err != nil {
		return key, passphrase, usageError(fmt.Errorf("%s: %w", flag, err), "")
	}
	key = installer.NewSecret(string(raw))
	if passphraseFile != "" {
		if passphrase, err = readFirstLine(passphraseFile); err != nil {
			return key, passphrase, usageError(fmt.Errorf("passphrase of %s: %w", flag, err), "")
		}
	}
	_, err = privkey.Parse(key, passphrase)
	if passphrase.IsZero() && errors.Is(err, privkey.ErrPassphraseNeeded) {
		passphrase, err = askSecret(ctx, "Passphrase of "+file)
		if errors.Is(err, errNoTerminal) {
			return key, passphrase, usageError(fmt.Errorf("%s %s is encrypted, and %w", flag, file, err), "give its passphrase with --passphrase-file (--via-passphrase-file) FILE")
		}
		if err != nil {
			return key, passphrase, err
		}
		_, err = privkey.Parse(key, passphrase)
	}
	if err != nil {
		return key, passphrase, usageError(fmt.Errorf("%s %s: %w", flag, file, err), "")
	}
	return key, passphrase, nil
}

// readSmall reads a file that holds one secret.
func readSmall(file string) ([]byte, error) {
	const largest = 64 << 10
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > largest {
		return nil, fmt.Errorf("%s: more than %d bytes; is it the right file?", file, largest)
	}
	return os.ReadFile(file)
}
