// A registry of packages that are not published yet, on this machine and for as long as the script runs: what npm needs
// to install packed archives by their names. It has these packages and no others.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { basename } from 'node:path'

/**
 * Serves packed archives. `archives` are paths by manifest, each manifest as it stands in its archive.
 *
 * Gives the URL, what has been asked for, and how to end it.
 */
export async function localRegistry(archives) {
  const byName = new Map(archives.map(({ manifest, archive }) => [manifest.name, { manifest, archive }]))
  const byFile = new Map(archives.map(({ archive }) => [basename(archive), archive]))
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname).slice(1)
    const file = byFile.get(path.replace(/^archives\//, ''))
    if (file !== undefined) return response.end(readFileSync(file))
    const found = byName.get(path)
    if (found === undefined) return response.writeHead(404).end('{}')
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(document(found, `http://${request.headers.host}`)))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${server.address().port}/`, end: () => server.close() }
}

/** What a registry says about a package: here, its one version. */
function document({ manifest, archive }, origin) {
  const bytes = readFileSync(archive)
  const { name, version } = manifest
  const dist = {
    tarball: `${origin}/archives/${basename(archive)}`,
    integrity: `sha512-${createHash('sha512').update(bytes).digest('base64')}`,
    shasum: createHash('sha1').update(bytes).digest('hex'),
  }
  return { name, 'dist-tags': { latest: version }, versions: { [version]: { ...manifest, dist } } }
}
