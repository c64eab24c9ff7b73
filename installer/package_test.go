package installer_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"tripod/installer"
)

func TestCompareVersions(t *testing.T) {
	t.Parallel()
	ordered := []string{"", "1", "1.2.3", "1.2.03.1", "1.10", "2.4.6", "2.4.6-rc1", "2.5", "10"}
	for i, a := range ordered {
		for j, b := range ordered {
			assert.Equal(t, i > j, installer.CompareVersions(a, b) > 0, "%q and %q", a, b)
			assert.Equal(t, i == j, installer.CompareVersions(a, b) == 0, "%q and %q", a, b)
		}
	}
}
