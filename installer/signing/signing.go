// Package signing makes and checks the request signatures of the official SDKs
// (SDK-HMAC-SHA256): over the method, the path, the query, named headers and the SHA-256
// of the body. Which keys there are, and which signatures were seen, its caller knows.
package signing

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tripod/installer"
	"tripod/installer/lazyregexp"
)

const (
	Algorithm = "SDK-HMAC-SHA256" // first word of the Authorization header
	Skew      = 15 * time.Minute  // of a request's date from the clock, either way

	headerAuthorization = "Authorization"
	headerDate          = "X-Sdk-Date"
	headerContent       = "X-Sdk-Content-Sha256"

	dateForm = "20060102T150405Z"
	maxNames = 64 // of headers that one signature covers
)

// Claim is what a request says of its signature. Nothing of it is believed
// before Verify.
type Claim struct {
	AccessKey string
	Date      time.Time
	Signature [sha256.Size]byte
	// Content is the SHA-256 of the body, in lower-case hex, where a header tells it:
	// then the body must be compared with it. Empty: it does not.
	Content string

	names []string // of the headers that are signed, as they were given
}

var authorizationForm = lazyregexp.New("^" + Algorithm + ` +Access=([A-Za-z0-9_-]{1,128}), *SignedHeaders=([a-z0-9!#$%&'*+.^_|~-]{1,256}(?:;[a-z0-9!#$%&'*+.^_|~-]{1,256})*), *Signature=([0-9A-Fa-f]{64})$`)

// Signs reports whether r carries a signature, or tries to.
func Signs(r *http.Request) bool {
	return slices.ContainsFunc(r.Header.Values(headerAuthorization), func(v string) bool {
		scheme, _, _ := strings.Cut(strings.TrimSpace(v), " ")
		return strings.HasPrefix(scheme, "SDK-") || strings.HasPrefix(scheme, "V11-")
	})
}

// Parse reads the claim of a request. Its errors are for a log: they hold
// nothing of the request's text.
func Parse(r *http.Request) (Claim, error) {
	var c Claim
	values := r.Header.Values(headerAuthorization)
	if len(values) != 1 {
		return c, errors.New("want one Authorization header")
	}
	given := authorizationForm().FindStringSubmatch(values[0])
	if given == nil {
		return c, errors.New("the header Authorization is not " + Algorithm + " with Access, SignedHeaders and Signature")
	}
	c.AccessKey, c.names = given[1], strings.Split(given[2], ";")
	_, err := hex.Decode(c.Signature[:], []byte(given[3]))
	if names := slices.Sorted(slices.Values(c.names)); err != nil || len(names) > maxNames || len(slices.Compact(names)) < len(c.names) {
		return c, fmt.Errorf("the header Authorization has more than %d signed headers, or names one twice", maxNames)
	}
	dates := r.Header.Values(headerDate)
	if len(dates) != 1 || len(dates[0]) != len(dateForm) {
		return c, errors.New("want one X-Sdk-Date, as " + dateForm)
	}
	if c.Date, err = time.Parse(dateForm, dates[0]); err != nil {
		return c, errors.New("X-Sdk-Date is not of the form " + dateForm)
	}
	if !slices.Contains(c.names, "x-sdk-date") {
		return c, errors.New("X-Sdk-Date is not among the signed headers")
	}
	if hashes, given := r.Header[headerContent]; given {
		// "UNSIGNED-PAYLOAD" too is refused: the body is covered, always.
		if len(hashes) != 1 || !installer.SHA256Form.MatchString(hashes[0]) {
			return c, errors.New("X-Sdk-Content-Sha256 is not one SHA-256 in lower-case hex")
		}
		c.Content = hashes[0]
	}
	return c, nil
}

func (c *Claim) Fresh(now time.Time) bool {
	return c.Date.After(now.Add(-Skew)) && c.Date.Before(now.Add(Skew))
}

// Expires is when the signature is too old for any clock that Fresh accepts.
func (c *Claim) Expires() time.Time { return c.Date.Add(Skew) }

// Verify reports, in constant time, whether secret made the signature over r
// with a body of this SHA-256 (lower-case hex).
func (c *Claim) Verify(r *http.Request, secret installer.Secret, body string) bool {
	canonical, err := canonicalRequest(r, c.names, body)
	if err != nil {
		return false
	}
	want := mac(secret, c.Date, canonical)
	return hmac.Equal(want[:], c.Signature[:])
}

// Sign signs r with a body of this SHA-256 (see Hash), which it tells in a header. It
// covers the host and every header that r has by now.
func Sign(r *http.Request, accessKey string, secret installer.Secret, body string, now time.Time) error {
	now = now.UTC().Truncate(time.Second)
	r.Header.Set(headerDate, now.Format(dateForm))
	r.Header.Set(headerContent, body)
	r.Header.Del(headerAuthorization)
	names := []string{"host"}
	for name := range r.Header {
		names = append(names, strings.ToLower(name))
	}
	slices.Sort(names)
	canonical, err := canonicalRequest(r, names, body)
	if err != nil {
		return fmt.Errorf("sign the request: %w", err)
	}
	r.Header.Set(headerAuthorization, fmt.Sprintf("%s Access=%s, SignedHeaders=%s, Signature=%x",
		Algorithm, accessKey, strings.Join(names, ";"), mac(secret, now, canonical)))
	return nil
}

func Hash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

func mac(secret installer.Secret, date time.Time, canonical string) [sha256.Size]byte {
	h := hmac.New(sha256.New, []byte(secret.Reveal()))
	_, _ = fmt.Fprintf(h, "%s\n%s\n%s", Algorithm, date.UTC().Format(dateForm), Hash([]byte(canonical)))
	return [sha256.Size]byte(h.Sum(nil))
}
