package sshdial

import (
	"slices"

	"golang.org/x/crypto/ssh"
)

// clientVersion has no version of Tripod: servers whose host key has not been
// checked need not know it.
const clientVersion = "SSH-2.0-Tripod"

// The algorithms offered, best first. AES-GCM costs least CPU where there is
// AES hardware; nothing with SHA-1 is offered. The finite-field groups stand
// last: they cost the client up to 60 times as much.
var (
	keyExchanges = []string{
		ssh.KeyExchangeMLKEM768X25519, ssh.KeyExchangeCurve25519,
		ssh.KeyExchangeECDHP256, ssh.KeyExchangeECDHP384, ssh.KeyExchangeECDHP521,
		ssh.KeyExchangeDH14SHA256, ssh.KeyExchangeDHGEXSHA256, ssh.KeyExchangeDH16SHA512,
	}
	ciphers = []string{
		ssh.CipherAES128GCM, ssh.CipherAES256GCM, ssh.CipherChaCha20Poly1305,
		ssh.CipherAES256CTR, ssh.CipherAES192CTR, ssh.CipherAES128CTR,
	}
	macs              = []string{ssh.HMACSHA256ETM, ssh.HMACSHA512ETM, ssh.HMACSHA256, ssh.HMACSHA512}
	hostKeyAlgorithms = []string{
		ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
		ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512,
	}
	certAlgorithms = []string{
		ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
		ssh.CertAlgoRSASHA256v01, ssh.CertAlgoRSASHA512v01,
	}
	rsaSignatures = []string{ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512}
)

func algorithmsFor(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA {
		return rsaSignatures
	}
	return []string{keyType}
}

// preferTypes puts the algorithms of known keys first. The server then proves
// the key that is pinned if it still has it. The other types stay behind them,
// so that a changed key of another type is seen, and named, as what it is.
func preferTypes(keys []ssh.PublicKey) []string {
	var known []string
	for _, k := range keys {
		known = append(known, algorithmsFor(k.Type())...)
	}
	var list []string
	for _, a := range append(known, hostKeyAlgorithms...) {
		if !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}
