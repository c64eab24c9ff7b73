package hostsfile

import (
	"net/netip"
	"slices"
	"strings"

	"tripod/installer/lazyregexp"
)

const (
	instead      = "not supported yet: use a list, IP,password lines, CSV with a header, or remote_install_meta JSON"
	ansibleFault = "this looks like an ansible inventory, " + instead
	yamlFault    = "this looks like YAML, " + instead
)

var (
	section  = lazyregexp.New(`^\[([A-Za-z_][\w.-]*)(:\w+)?\]$`)
	yamlLine = lazyregexp.New(`^(---|%YAML|- |[\w."'-]+:( |$))`)
	// ipLike is what somebody meant to be an address, right or wrong.
	ipLike = lazyregexp.New(`^([0-9.]+|[0-9A-Fa-f.]*:[0-9A-Fa-f.:]*)(%\w*)?$`)
)

// isAnsible recognises a heading of an INI file, "[web]" or "[web:vars]", and ansible's variables.
func isAnsible(line string) bool {
	return section.MatchString(line) || strings.Contains(line, " ansible_")
}

// recognise finds the format by the first lines. Where it cannot, it says so
// as a fault.
func (c *collector) recognise(text []byte) Format {
	n := 0
	for line := range strings.Lines(string(text[:min(len(text), 1<<20)])) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '{' || line[0] == '[' && startsJSONArray(text) {
			return FormatJSON
		}
		format, what := recogniseLine(line)
		if what != "" {
			c.fault(n, "", "%s", what)
		}
		return format
	}
	c.fileFault("names no hosts")
	return ""
}

// startsJSONArray tells an array from an IPv6 address in brackets, a range
// and an INI section.
func startsJSONArray(text []byte) bool {
	_, after, _ := strings.Cut(string(text[:min(len(text), 4096)]), "[")
	after = strings.TrimSpace(after)
	return after == "" || strings.ContainsRune(`{]"`, rune(after[0]))
}

// recogniseLine decides by the first line that is neither empty nor a comment.
func recogniseLine(line string) (Format, string) {
	if isAnsible(line) {
		return "", ansibleFault
	}
	if yamlLine.MatchString(line) {
		return "", yamlFault
	}
	if !commaOutside(line) {
		if columnNamed(line) == "address" {
			return FormatCSV, "" // a header of one column
		}
		if strings.ContainsAny(line, ";\t") && hasColumn(strings.FieldsFunc(line, func(r rune) bool { return r == ';' || r == '\t' })) {
			return "", "the columns are parted by semicolons or tabs: save the file with commas"
		}
		return FormatList, ""
	}
	first, _, _ := strings.Cut(line, ",")
	first = strings.TrimSpace(first)
	if _, err := netip.ParseAddr(first); err == nil || ipLike.MatchString(first) {
		return FormatIPPassword, ""
	}
	if hasColumn(strings.Split(line, ",")) {
		return FormatCSV, ""
	}
	return "", "the format is not recognised: the line has a comma, but begins with no IP address and has none of the column names " + knownColumns + "; a list has one host on each line"
}

func hasColumn(fields []string) bool {
	return slices.ContainsFunc(fields, func(f string) bool { return columnNamed(f) != "" })
}

// commaOutside looks for a comma outside of the brackets of a range.
func commaOutside(line string) bool {
	depth := 0
	for i := range len(line) {
		switch line[i] {
		case '[':
			depth++
		case ']':
			depth--
		case ',':
			if depth <= 0 {
				return true
			}
		}
	}
	return false
}
