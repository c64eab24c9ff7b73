# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# reconfigure.sh: the agent that is there gets another configuration. Sourced after keep.sh
# and config.sh.
#
# Until the agent is healthy with the new one, the old one is in a folder of the agent's. That
# is whole: it was filled under another name, and loses its name before it is emptied.

old_config() { printf '%s' "$agent_dir/.tripod-config"; }

# settle_configuration undoes what was cut off. It fails where nothing was.
settle_configuration() {
	[ -n "$agent_dir" ] && [ -d "$(old_config)" ] || return 1
	put_configuration "$(old_config)" || die "$E_SPACE" "the configuration in $(old_config) cannot be put back"
	say "an earlier change of the configuration was cut off, and is undone"
}

# put_configuration FROM makes the agent's configuration that in FROM, file by file.
put_configuration() {
	for config in $config_files; do
		if [ ! -f "$1/$config" ]; then
			rm -f "$agent_dir/$config"
		elif ! cmp -s "$1/$config" "$agent_dir/$config"; then
			mkdir -p "$agent_dir/${config%/*}" && cp -p "$1/$config" "$agent_dir/$config.new" &&
				mv "$agent_dir/$config.new" "$agent_dir/$config" || return 1
		fi
		rm -f "$agent_dir/$config.new"
	done
}

# same_configuration DIR: the agent has it already.
same_configuration() {
	for config in $config_files; do
		if [ -f "$1/$config" ] || [ -f "$agent_dir/$config" ]; then
			cmp -s "$1/$config" "$agent_dir/$config" || return 1
		fi
	done
}

# copy_configuration copies the present one.
copy_configuration() {
	clear_retired "$(old_config)"
	rm -rf "$(old_config).new"
	mkdir "$(old_config).new" || return 1
	for config in $config_files; do
		[ -f "$agent_dir/$config" ] || continue
		mkdir -p "$(old_config).new/${config%/*}" && cp -p "$agent_dir/$config" "$(old_config).new/$config" || return 1
	done
	mv "$(old_config).new" "$(old_config)"
}

# make_configuration makes, in $work/new, the present configuration with the settings in it.
make_configuration() {
	mkdir "$work/new" || die "$E_SPACE" "cannot make a folder in $work"
	keep_configuration "$agent_dir" "$work/new"
	configure "$work/new"
}

# is_configured: reconfigure would change nothing.
is_configured() {
	[ ! -d "$(old_config)" ] && is_protected "$agent_dir" || return 1
	make_configuration
	same_configuration "$work/new"
}

# reconfigure puts in the settings, unless all is already so.
reconfigure() {
	cut_off=no
	if settle_configuration; then cut_off=yes; fi
	make_configuration
	if [ $cut_off = no ] && same_configuration "$work/new"; then
		found configured same
	else
		[ $cut_off = yes ] || copy_configuration || die "$E_SPACE" "the present configuration cannot be copied to $(old_config)"
		before_dying=unconfigure
		put_configuration "$work/new" || die "$E_SPACE" "the configuration cannot be written to $agent_dir"
	fi
	protect_configuration "$agent_dir"
	if [ "$was" = stopped ]; then
		find_stopped_note
		: >"$stopped_note"
		report
	else
		[ -z "$before_dying" ] || restart_agent
		judge
	fi
	[ -z "$before_dying" ] || found configured changed
	before_dying=
	discard "$(old_config)"
}

# restart_agent: the agent reads its configuration when it starts.
restart_agent() {
	stop_agent || die "$E_IN_THE_WAY" "the agent cannot be stopped to be given its configuration"
	start_agent
}

# unconfigure gives the agent its old configuration back, and says in dying_says whether
# that went well.
unconfigure() {
	say "putting the configuration back"
	dying_says="; the configuration could not be put back, it is in $(old_config)"
	put_configuration "$(old_config)" || return 0
	if [ "$was" != stopped ]; then
		restart_agent
		wait_healthy
	fi
	dying_says="; the previous configuration was put back, $state"
	discard "$(old_config)"
}
