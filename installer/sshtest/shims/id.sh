#!/bin/sh
# id of an sshtest.Server: the user logged in, or the one that sudo was asked
# for, whoever really runs it.
uid=${SSHTEST_UID:-0} user=${SSHTEST_USER:-root}
case "$*" in
-u | -ru | "-u -r" | "-r -u" | -g | -rg | -G) echo "$uid" ;;
-un | -nu | "-u -n" | "-n -u" | -gn | -ng | "-g -n" | "-n -g" | -Gn) echo "$user" ;;
"") echo "uid=$uid($user) gid=$uid($user) groups=$uid($user)" ;;
*) PATH=/usr/bin:/bin exec id "$@" ;;
esac
