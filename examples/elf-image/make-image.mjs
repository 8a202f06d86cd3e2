// Makes entry.elf from entry.s. With a toolchain that is: as -o entry.o entry.s && ld -static -Ttext=0x801000 -o entry.elf entry.o
// Here it is done without one: @trapframe/isa assembles, and the few tables of ELF are written by hand.
import { readFileSync, writeFileSync } from 'node:fs'
import { assemble } from '@trapframe/isa'

const PAGE = 0x1000
const TEXT = 0x80_1000n
const DATA = 0x80_2000n
const DATA_SYMBOLS = { counter: DATA, answer: DATA + 8n }

const code = assemble(readFileSync('entry.s', 'utf8'), { origin: TEXT, symbols: DATA_SYMBOLS, file: 'entry.s' })
const symbols = Object.entries({ ...Object.fromEntries(code.labels), ...DATA_SYMBOLS })
const names = `\0${symbols.map(([name]) => `${name}\0`).join('')}`

// The file: headers, code, data, symbols, their names, section headers.
const [codeAt, dataAt] = [PAGE, 2 * PAGE]
const symbolsAt = dataAt + 16
const namesAt = symbolsAt + 24 * (symbols.length + 1)
const sectionsAt = (namesAt + names.length + 7) & ~7
const file = Buffer.alloc(sectionsAt + 3 * 64)

const write = (at, ...fields) => {
  for (const [bytes, value] of fields) {
    if (bytes === 8) file.writeBigUInt64LE(BigInt(value), at)
    else file.writeUIntLE(value, at, bytes)
    at += bytes
  }
}
file.write('\x7fELF\x02\x01\x01', 'latin1')
// ET_EXEC, x86-64, version, entry, program headers, section headers, flags, and how many of each
write(16, [2, 2], [2, 62], [4, 1], [8, code.labels.get('entry_from_user')], [8, 64], [8, sectionsAt], [4, 0])
write(52, [2, 64], [2, 56], [2, 2], [2, 64], [2, 3], [2, 0])
// PT_LOAD: code is read and executed, data is read and written
const load = (flags, at, address, size) => [
  [4, 1],
  [4, flags],
  [8, at],
  [8, address],
  [8, address],
  [8, size],
  [8, size],
  [8, PAGE],
]
write(64, ...load(5, codeAt, TEXT, code.bytes.length))
write(120, ...load(6, dataAt, DATA, 16))
file.set(code.bytes, codeAt)
write(dataAt, [8, 0], [8, 42])
let name = 1
symbols.forEach(([text, address], i) => {
  write(symbolsAt + 24 * (i + 1), [4, name], [1, 0x10], [1, 0], [2, 1], [8, address])
  name += text.length + 1
})
file.write(names, namesAt, 'latin1')
// SHT_SYMTAB with its names in section 2, SHT_STRTAB
write(
  sectionsAt + 64,
  [4, 0],
  [4, 2],
  [8, 0],
  [8, 0],
  [8, symbolsAt],
  [8, namesAt - symbolsAt],
  [4, 2],
  [4, 0],
  [8, 8],
  [8, 24],
)
write(sectionsAt + 128, [4, 0], [4, 3], [8, 0], [8, 0], [8, namesAt], [8, names.length])

writeFileSync('entry.elf', file)
