/** What goes into a new scenario. */
export interface NewScenario {
  readonly title: string
  readonly host: string
  readonly cpu: string
  /** What the host can run on: with several of them the scenario has a matrix. */
  readonly deliveries: readonly string[]
  /** Path of the JSON Schema, from the scenario. */
  readonly schema: string
}

/** A scenario that passes on every host: a guest that is interrupted once, and what that must leave alone. */
export function scenarioTemplate({ title, host, cpu, deliveries, schema }: NewScenario): string {
  const matrix = deliveries.length > 1 ? `matrix:\n  delivery: [${deliveries.join(', ')}]\n` : ''
  // biome-ignore lint/suspicious/noTemplateCurlyInString: that is how scenarios write it
  const delivery = deliveries.length > 1 ? '"${delivery}"' : deliveries[0]
  return `# yaml-language-server: $schema=${schema}
name: ${JSON.stringify(title)}
about: |
  What happens here, what goes wrong, and what helps.
refs: []
${matrix}machine:
  cpu: ${JSON.stringify(cpu)}
  host: ${host}
  delivery: ${delivery}
guest: |
  start:
    mov   rax, 20
  here:
    lea   rbx, [rax + rax + 2]
  done:
inject:
  - { event: nmi, at: { label: here } } # before the instruction at the label
expect:
  - { outcome: done, delivered: 1 }
  - frame: { event: NMI, rip: here, from: { cpl: 3 } }
  - registers: { rax: 20, rbx: 42 }
  - keeps: [good-stack, no-clobber, return-identity]
`
}
