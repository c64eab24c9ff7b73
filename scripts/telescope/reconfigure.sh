# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# reconfigure.sh: the agent that is there gets another configuration.
#
# Until the agent is healthy with the new one, the old one is in a folder of the agent's. That
# is whole: it was filled under another name, and loses its name before it is emptied.

# In the agent's folder.
old_config=.tripod-config

# undo_configuration undoes what was cut off. It fails where nothing was, or where others
# than root could have put it there; undo_configuration_for_good does it for good.
undo_configuration() {
	[ -n "$agent_dir" ] && [ -d "$agent_dir/$old_config" ] && safe_agent || return 1
	put_configuration "$agent_dir/$old_config" || die "$E_SPACE" "the configuration in $agent_dir/$old_config cannot be put back"
	say "an earlier change of the configuration was cut off, and is undone"
}

undo_configuration_for_good() { ! undo_configuration || discard "$agent_dir/$old_config"; }

# put_configuration FROM makes the agent's configuration that in FROM, file by file.
put_configuration() {
	for config in $config_files; do
		if [ ! -f "$1/$config" ]; then
			clear "$agent_dir/$config"
		elif ! cmp -s "$1/$config" "$agent_dir/$config"; then
			make_private "$agent_dir/${config%/*}" && cp -p "$1/$config" "$agent_dir/$config.new" &&
				mv "$agent_dir/$config.new" "$agent_dir/$config" || return 1
		fi
		clear "$agent_dir/$config.new"
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
	clear "$agent_dir/$old_config.new" "$agent_dir/$old_config".gone.*
	mkdir "$agent_dir/$old_config.new" || return 1
	for config in $config_files; do
		[ -f "$agent_dir/$config" ] || continue
		make_private "$agent_dir/$old_config.new/${config%/*}" && cp -p "$agent_dir/$config" "$agent_dir/$old_config.new/$config" || return 1
	done
	mv "$agent_dir/$old_config.new" "$agent_dir/$old_config"
}

# make_configuration makes, in $work/new, the present configuration with the settings in it.
make_configuration() {
	mkdir "$work/new" || die "$E_SPACE" "cannot make a folder in $work"
	keep_configuration "$agent_dir" "$work/new"
	configure "$work/new"
}

# is_configured: reconfigure would change nothing.
is_configured() {
	[ ! -d "$agent_dir/$old_config" ] && safe_agent && is_protected "$agent_dir" || return 1
	make_configuration
	same_configuration "$work/new"
}

# reconfigure puts in the settings, unless all is already so. It neither gives keys to
# others than root, nor runs what they can change.
reconfigure() {
	safe_agent || die "$E_HOST" "the agent is not configured: users other than root can change $unsafe"
	cut_off=no
	if undo_configuration; then cut_off=yes; fi
	make_configuration
	if [ $cut_off = no ] && same_configuration "$work/new"; then
		found configured same
	else
		[ $cut_off = yes ] || copy_configuration || die "$E_SPACE" "the present configuration cannot be copied to $agent_dir/$old_config"
		before_dying=unconfigure
		put_configuration "$work/new" || die "$E_SPACE" "the configuration cannot be written to $agent_dir"
	fi
	protect_configuration "$agent_dir"
	if [ "$was" = stopped ]; then
		: >"$stopped_note"
		report
	else
		[ -z "$before_dying" ] || restart_agent
		judge
	fi
	[ -z "$before_dying" ] || found configured changed
	before_dying=
	discard "$agent_dir/$old_config"
}

# restart_agent: the agent reads its configuration when it starts.
restart_agent() {
	stop_agent || die "$E_NOT_REMOVED" "the agent cannot be stopped to be given its configuration"
	start_agent
}

# unconfigure gives the agent its old configuration back, and says in dying_says whether
# that went well.
unconfigure() {
	say "putting the configuration back"
	dying_says="; the configuration could not be put back, it is in $agent_dir/$old_config"
	put_configuration "$agent_dir/$old_config" || return 0
	if [ "$was" != stopped ]; then
		restart_agent
		wait_healthy
	fi
	dying_says="; the previous configuration was put back, $state"
	discard "$agent_dir/$old_config"
}
