"""The same work with asyncssh: connect, upload by SFTP, run, N at a time."""
import asyncio
import sys

import asyncssh

hosts_file, port, key, script, parallel = sys.argv[1:]


async def one(host, slots):
    async with slots:
        async with asyncssh.connect(host, port=int(port), username="root", client_keys=[key], known_hosts=None) as conn:
            async with conn.start_sftp_client() as sftp:
                await sftp.put(script, "/root/asyncssh-%s.sh" % host)
            result = await conn.run("sh /root/asyncssh-%s.sh" % host, check=True)
            assert "done" in result.stdout


async def main():
    slots = asyncio.Semaphore(int(parallel))
    with open(hosts_file) as f:
        hosts = f.read().split()
    await asyncio.gather(*(one(h, slots) for h in hosts))


asyncio.run(main())
