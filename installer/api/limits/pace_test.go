package limits

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPace(t *testing.T) {
	t.Parallel()
	p := BodyPace
	require.Equal(t, 10*time.Second, p.until(0, 5*time.Minute))
	require.Equal(t, 10*time.Second+500*time.Millisecond, p.until(32<<10, 5*time.Minute))
	require.Equal(t, 26*time.Second, p.until(1<<20, 5*time.Minute))
	require.Equal(t, 5*time.Minute, p.until(64<<20, 5*time.Minute))
	require.Equal(t, 5*time.Minute, p.until(1<<62, 5*time.Minute))
	require.Equal(t, 5*time.Second, p.until(0, 5*time.Second))
}

// TestPacedBody: the deadline moves on with what is there, and when all of it is
// there the request has its whole time again: net/http goes on reading.
func TestPacedBody(t *testing.T) {
	t.Parallel()
	began := time.Now()
	var deadlines []time.Duration
	b := &pacedBody{
		ReadCloser: io.NopCloser(strings.NewReader("abcdef")), pace: Pace{Grace: 10 * time.Second, Rate: 2},
		began: began, limit: time.Minute,
		deadline: func(at time.Time) error { deadlines = append(deadlines, at.Sub(began)); return nil },
	}
	var err error
	for err == nil {
		_, err = b.Read(make([]byte, 3))
	}
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, []time.Duration{10 * time.Second, 11500 * time.Millisecond, 13 * time.Second, time.Minute}, deadlines)
}
