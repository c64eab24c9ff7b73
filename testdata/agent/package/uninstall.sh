#!/bin/bash
# Stand-in for the agent's own uninstaller. It must be run from where the agent
# is installed: from the package's folder it deletes the wrong thing.
if [ "$(id -u)" != 0 ]; then
	echo "Current user is not root, please use root user uninstall."
	exit 0
fi
here=$(cd "$(dirname "$0")" && pwd)
bash "$here/telescoped" stop
rm -f "${TRIPOD_ROOT:-}/etc/init.d/telescoped"
rm -rf "$here/../telescope"
echo "Success to uninstall telescope."
exit 0
