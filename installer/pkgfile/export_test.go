package pkgfile

import "io"

// InspectWithin is Inspect with another limit of what is unpacked.
func InspectWithin(r io.Reader, name string, most int64) (Info, error) { return inspect(r, name, most) }
