# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# json.sh: reads and sets the members of a JSON object, and leaves all else in the text as
# it is, byte for byte. It needs awk alone: hosts may lack jq and python.

# The program prints the JSON of the members named in `get` of the object that it reads, a
# line each, empty where there is none. Without `get` it reads the object, then a line with a
# ".", which ends the text for it, and prints the text, with the members in the file ARGV[1]
# ("NAME<tab>JSON", one a line) set. Names are compared as the agent does it, without regard
# to case. It exits with 3 where the text is no JSON object.
# shellcheck disable=SC2016 # awk's own
json_program='
function refuse() { exit 3 }

function blank() { while (at < size && index(" \t\r\n", substr(text, at, 1))) at++ }

function expect(c) {
	if (substr(text, at, 1) != c) refuse()
	at++
}

function escaped(   c, i, n, digit) {
	c = substr(text, at++, 1)
	if (c != "u") {
		if (c == "" || !index("\"\\/bfnrt", c)) refuse()
		return index("\"\\/", c) ? c : "\\" c
	}
	for (i = n = 0; i < 4; i++) {
		digit = index("0123456789abcdef.", tolower(substr(text, at++, 1)))
		if (!digit || digit > 16) refuse()
		n = n * 16 + digit - 1
	}
	return n && n < 128 ? sprintf("%c", n) : "\\u"
}

# string sets plain to what it says, as far as a name can.
function string(   c) {
	expect("\"")
	plain = ""
	while ((c = substr(text, at++, 1)) != "\"") {
		if (at > size || index(control, c)) refuse()
		if (c == "\\") c = escaped()
		if (length(plain) < 100) plain = plain c
	}
}

function word(   rest) {
	rest = substr(text, at, 400)
	if (!match(rest, /^(true|false|null|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?)/)) refuse()
	at += RLENGTH
}

function value(depth,   c) {
	if (depth > 100) refuse()
	c = substr(text, at, 1)
	if (c == "{") object(depth)
	else if (c == "[") array(depth)
	else if (c == "\"") string()
	else word()
}

function array(depth) {
	at++
	blank()
	if (substr(text, at, 1) == "]") { at++; return }
	for (;;) {
		value(depth + 1)
		blank()
		if (substr(text, at, 1) == "]") break
		expect(",")
		blank()
	}
	at++
}

# object notes the members of the outermost one: names, where the values begin and end,
# and how the last one is written.
function object(depth,   from, name_at, colon_at) {
	expect("{")
	from = at
	if (!depth) first = at
	blank()
	if (substr(text, at, 1) == "}") { at++; return }
	for (;;) {
		name_at = at
		string()
		colon_at = at
		if (!depth) {
			name[++members] = tolower(plain)
			lead = substr(text, from, name_at - from)
		}
		blank()
		expect(":")
		blank()
		if (!depth) {
			colon = substr(text, colon_at, at - colon_at)
			begins[members] = at
		}
		value(depth + 1)
		if (!depth) ends[members] = at
		blank()
		if (substr(text, at, 1) == "}") break
		expect(",")
		from = at
		blank()
	}
	at++
}

function copy_to(end) {
	printf "%s", substr(text, copied, end - copied)
	copied = end
}

# style says how a member is added to an object that has none.
function style(   inside) {
	colon = ": "
	inside = substr(text, first, index(substr(text, first), "}") - 1)
	lead = inside ~ /\r\n/ ? "\r\n    " : inside ~ /\n/ ? "\n    " : ""
}

function set_members(   i, j) {
	copied = 1
	for (i = 1; i <= members; i++) for (j = 1; j <= wanted; j++) if (name[i] == tolower(key[j])) {
		copy_to(begins[i])
		printf "%s", json[j]
		copied = ends[i]
		done[j] = 1
	}
	if (!members) style()
	copy_to(members ? ends[members] : first)
	for (j = 1; j <= wanted; j++) if (!done[j]) printf "%s%s\"%s\"%s%s", members++ ? "," : "", lead, key[j], colon, json[j]
	copy_to(size)
}

function get_members(   n, asked, i, k, found) {
	n = split(get, asked, " ")
	for (k = 1; k <= n; k++) {
		found = ""
		for (i = 1; i <= members; i++) {
			if (name[i] == tolower(asked[k])) found = substr(text, begins[i], ends[i] - begins[i])
		}
		gsub(/[\r\n]/, "", found)
		print found
	}
}

BEGIN {
	for (i = 1; i < 32; i++) control = control sprintf("%c", i)
	while ((getline line < ARGV[1]) > 0) {
		at = index(line, "\t")
		key[++wanted] = substr(line, 1, at - 1)
		json[wanted] = substr(line, at + 1)
	}
	ARGV[1] = ""
	RS = "\001" # which no JSON has: all lines are one record
}

{ text = text $0 "\n" }

END {
	if (NR > 1) refuse()
	size = length(text) - (get == "" ? 2 : 0)
	at = 1
	blank()
	object(0)
	blank()
	if (at != size) refuse()
	if (get == "") set_members()
	else get_members()
}
'

# json_set WANTED FILE prints FILE with the members in the file WANTED set. It returns 3
# where FILE is no JSON object.
json_set() {
	# shellcheck disable=SC2094 # which both read only
	tr -d '\000' <"$2" | cmp -s - "$2" || return 3 # not every awk has that character
	{ cat "$2" && echo .; } | awk "$json_program" "$1" -
}

# json_get "NAME..." prints the JSON of members of the object on stdin, a line each: empty if
# there is no such member, and none if there is no object. json_of "NAME..." FILE sets json.
json_get() { awk -v get="$1" "$json_program" /dev/null -; }

json_of() { json=$(awk -v get="$1" "$json_program" /dev/null - <"$2") 2>/dev/null; }

# json_quote TEXT prints it as JSON.
json_quote() {
	printf '%s.\n' "$1" | awk '
		BEGIN { for (i = 1; i < 32; i++) control = control sprintf("%c", i) }
		{ text = text (NR > 1 ? "\n" : "") $0 }
		END {
			size = length(text) - 1
			printf "\""
			for (i = 1; i <= size; i++) {
				c = substr(text, i, 1)
				if (c == "\"" || c == "\\") c = "\\" c
				else if (at = index(control, c)) c = sprintf("\\u%04x", at)
				printf "%s", c
			}
			print "\""
		}
	'
}
