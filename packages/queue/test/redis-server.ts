import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The server that is installed: Redis or Valkey; null where there is none. */
export const serverProgram: string | null =
  ['redis-server', 'valkey-server'].find((name) => spawnSync(name, ['--version']).status === 0) ?? null

/** A real server on a free port, in a folder of its own. */
export class RedisServer {
  readonly port: number
  readonly #folder = mkdtempSync(join(tmpdir(), 'trapframe-redis-'))
  readonly #process: ChildProcess

  private constructor(program: string, port: number) {
    this.port = port
    const settings = { port, bind: '127.0.0.1', dir: this.#folder, save: '', appendonly: 'no' }
    const words = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
    this.#process = spawn(program, words, { stdio: 'ignore' })
  }

  static async start(program: string): Promise<RedisServer> {
    const server = new RedisServer(program, await freePort())
    for (let n = 0; n < 100; n++) {
      if (await accepts(server.port)) return server
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    await server.end()
    throw new Error(`${program} does not answer on port ${server.port}`)
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  async end(): Promise<void> {
    const gone = new Promise((resolve) => this.#process.once('exit', resolve))
    this.#process.kill('SIGKILL')
    await gone
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

function freePort(): Promise<number> {
  const server = createServer()
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    const answer = (accepted: boolean) => () => {
      socket.destroy()
      resolve(accepted)
    }
    socket.once('connect', answer(true)).once('error', answer(false))
  })
}
