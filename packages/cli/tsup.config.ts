import { defineConfig } from 'tsup'
import { library } from '../../tsup.config.base.js'

export default defineConfig(library({ bin: 'src/bin.ts', index: 'src/index.ts' }))
