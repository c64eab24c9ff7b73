package api

import "net/http"

// DecodeCreate is decodeCreate, for the tests of the whole package.
func DecodeCreate(body []byte) error {
	_, err := decodeCreate(body)
	return err
}

// DecodeStatus is decodeStatus.
func DecodeStatus(body []byte) error {
	_, err := decodeStatus(body)
	return err
}

// RouteOf is what a test sees of a route.
type RouteOf struct {
	Method, Pattern string
	Open            bool
}

// Routes is the table that h serves.
func Routes(h http.Handler) (all []RouteOf) {
	for _, r := range h.(*handler).table {
		all = append(all, RouteOf{r.method, r.pattern, r.open})
	}
	return all
}
