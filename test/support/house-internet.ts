/** The internet behind a house of the tests: a name server, and a web server with sites of its own. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createCertificate } from './certificates.ts'
import { type House, INTERNET } from './house.ts'
import { type Running, start } from './processes.ts'
import { type Cleanup, tempFolder } from './temp.ts'
import { until } from './until.ts'

/** An ordinary site, over http and https. */
export const ORDINARY = 'ordinary.example'
export const ORDINARY_TITLE = 'an ordinary site'
/** An ordinary domain that a test may give a link record. */
export const LINKED = 'linked.example'

export interface Internet {
  /** PEM file of the authority that vouches for its https sites. */
  ca: string
  /** Folder that the web server gives out. */
  folder: string
  /** Takes these TXT records into the DNS, and forgets the former. */
  texts(records: Record<string, string>): Promise<void>
}

function nginxConfig(folder: string, certificate: string, key: string): string {
  return `daemon off;
user root;
worker_processes 1;
error_log stderr warn;
pid ${folder}/nginx.pid;
events { worker_connections 256; }
http {
  access_log off;
  types { text/html html; text/plain txt; }
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server {
    listen ${INTERNET.web}:80;
    listen ${INTERNET.web}:443 ssl;
    ssl_certificate ${certificate};
    ssl_certificate_key ${key};
    root ${folder}/www;
    add_header X-Asked-Over $scheme;
    location = /via.txt { return 200 "$http_via\\n"; }
  }
}
`
}

/** Starts what a house finds on the internet. */
export async function startInternet(t: Cleanup, { internet }: House): Promise<Internet> {
  const { netns } = internet
  const folder = await tempFolder(t, 'internet')
  const www = join(folder, 'www')
  await mkdir(www)
  await writeFile(join(www, 'index.html'), `<!doctype html><title>${ORDINARY_TITLE}</title>`)
  const { ca, certificate, key } = await createCertificate(t, [ORDINARY], [])
  const config = join(folder, 'nginx.conf')
  await writeFile(config, nginxConfig(folder, certificate, key))
  start(t, '/usr/sbin/nginx', ['-c', config, '-e', 'stderr'], { netns })

  let dns: Running | undefined
  const texts = async (records: Record<string, string>): Promise<void> => {
    await dns?.stop()
    const server = start(
      t,
      '/usr/sbin/dnsmasq',
      [
        '--keep-in-foreground',
        '--conf-file=/dev/null',
        '--no-resolv',
        '--no-hosts',
        '--user=root',
        '--pid-file=',
        '--log-facility=-',
        `--listen-address=${INTERNET.dns}`,
        '--bind-interfaces',
        '--local-ttl=2',
        ...[ORDINARY, LINKED].map((name) => `--host-record=${name},${INTERNET.web}`),
        ...Object.entries(records).map(([name, text]) => `--txt-record=${name},${text}`),
        // Whatever else is asked is not there.
        '--local=/#/',
      ],
      { netns },
    )
    dns = server
    await until('the name server', () => server.output().includes('started'))
  }
  await texts({})
  return { ca, folder: www, texts }
}
