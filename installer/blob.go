package installer

import "io"

// BlobRef names a file that is kept by its content: a script or a package.
type BlobRef struct {
	SHA256 string `json:"sha256"` // lower-case hex
	Size   int64  `json:"size"`   // bytes
	Name   string `json:"name"`   // what the user called it, base name only
	// Of a package, where they are known.
	Arch    string  `json:"arch,omitempty"` // a GOARCH; empty: any
	Version string  `json:"version,omitempty"`
	Edition Edition `json:"edition,omitempty"`
}

// Blob is the content behind a BlobRef, shared by all hosts that are sent it.
type Blob interface {
	io.ReaderAt
	Ref() BlobRef
}

// Blobs opens blobs by their SHA-256.
type Blobs interface {
	// OpenBlob fails with ErrNotFound where the content is not kept (any more).
	OpenBlob(ref BlobRef) (Blob, error)
}
