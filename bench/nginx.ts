/** The peer that most benchmarks serve beside: one worker on one core. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { start } from '../test/support/processes.ts'
import { tempFolder } from '../test/support/temp.ts'
import { type Bench, TASKSET } from './runner.ts'

/**
 * Starts it; when it answers is for the caller to find out.
 * @param http lines of its `http` section beside those every benchmark has, with the `server`
 */
export async function startNginx(b: Bench, core: string, http: string): Promise<void> {
  const home = await tempFolder(b, 'bench-nginx')
  const config = join(home, 'nginx.conf')
  await writeFile(
    config,
    `daemon off; worker_processes 1; pid ${home}/pid; error_log ${home}/error.log;
user root;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; tcp_nodelay on;
  client_body_temp_path ${home}/b; proxy_temp_path ${home}/p; fastcgi_temp_path ${home}/f;
  uwsgi_temp_path ${home}/u; scgi_temp_path ${home}/s;
  ${http}
}`,
  )
  start(b, TASKSET, ['-c', core, '/usr/sbin/nginx', '-c', config])
}
