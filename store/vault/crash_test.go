package vault

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const childDir = "TRIPOD_VAULT_TEST_DIR"

// childMain seals and forgets for ever. It tells of each sealed value what it is,
// after it was answered, and what it is about to be.
func childMain(dir string) {
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
	v, err := Open(dir, Options{First: true})
	if err != nil {
		fail(err)
	}
	for n := 0; ; n++ {
		keys, err := v.NewKeys(4)
		if err != nil {
			fail(err)
		}
		sealed := make([][]byte, len(keys))
		for i, k := range keys {
			sealed[i] = k.Seal([]byte("place"), []byte("secret of place"))
			fmt.Println("kept", hex.EncodeToString(sealed[i]))
		}
		for _, s := range sealed[1:3] {
			fmt.Println("trying", hex.EncodeToString(s))
		}
		if err := v.Forget(sealed[1:3]...); err != nil {
			fail(err)
		}
		for _, s := range sealed[1:3] {
			fmt.Println("forgotten", hex.EncodeToString(s))
		}
	}
}

// TestKilled: SIGKILL at random moments. What was sealed opens, what was forgotten
// does not, and the next start finds every slot that is free.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	is := map[string]string{}
	for range 4 {
		child := exec.Command(os.Args[0])
		child.Env, child.Stderr = append(os.Environ(), childDir+"="+dir), os.Stderr
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		lines := bufio.NewScanner(out)
		until := 1 + rand.IntN(500)
		for told := 0; lines.Scan(); told++ {
			if told == until {
				require.NoError(t, child.Process.Kill())
			}
			what, sealed, whole := strings.Cut(lines.Text(), " ")
			if whole && len(sealed)%2 == 0 {
				is[sealed] = what
			}
		}
		require.Error(t, child.Wait(), "it was killed")

		v, err := Open(dir, Options{First: true})
		require.NoError(t, err)
		var needed [][]byte
		for text, what := range is {
			sealed, err := hex.DecodeString(text)
			require.NoError(t, err)
			if what != "trying" && len(sealed) < refSize+40 {
				delete(is, text) // cut by the kill
				continue
			}
			_, err = v.Open([]byte("place"), sealed)
			switch {
			case what == "kept":
				require.NoError(t, err)
			case what == "forgotten":
				require.ErrorIs(t, err, ErrForgotten)
			case err == nil:
				is[text] = "kept"
			default:
				is[text] = "forgotten"
			}
			if is[text] == "kept" {
				needed = append(needed, sealed)
			}
		}
		require.NoError(t, v.ForgetAllBut(needed...))
		require.Equal(t, len(needed), v.Count())
		require.NoError(t, v.Close())
	}
	assert.NotEmpty(t, is)
}
