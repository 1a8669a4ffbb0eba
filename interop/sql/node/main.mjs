// Runs the checks of `pg` against the server that PGHOST and PGPORT name.

import { checks } from './pg.mjs'

let faults = 0
for (const check of checks) {
  const title = `pg: ${check.name.replaceAll('_', ' ')}`
  try {
    await check()
    console.log(`ok    ${title}`)
  } catch (error) {
    faults += 1
    console.log(`FAULT ${title}\n${error.stack}`)
  }
}
process.exit(faults === 0 ? 0 : 1)
