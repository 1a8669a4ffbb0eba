// What is asked of the rows that `e2e/suite/src/drivers/rows.rs` makes; `python/rows.py` has the
// same for other drivers.

export const MOMENT = new Date('2024-02-29T12:30:15.123Z')
export const BYTES = Buffer.from([0, 1, 254, 255])

// A type, a value that is sent, and what comes back: numbers of 64 bits and more do so as text.
export const VALUES = [
  ['text', 'grüße', 'grüße'],
  ['text', '', ''],
  ['int', -5, -5],
  ['bigint', 2n ** 62n, '4611686018427387904'],
  ['boolean', true, true],
  ['boolean', false, false],
  ['timestamptz', MOMENT, MOMENT],
  ['bytea', BYTES, BYTES],
  ['bytea', Buffer.alloc(0), Buffer.alloc(0)],
  ['float8', 1.5, 1.5],
  ['text[]', ['a', 'grüße', 'with "quotes", and {braces}'], ['a', 'grüße', 'with "quotes", and {braces}']],
  ['bigint[]', [1, 2n ** 62n], ['1', '4611686018427387904']],
  ['boolean[]', [true, null, false], [true, null, false]],
]

// The number of rows that a condition with a parameter is true of.
export const CONDITIONS = [
  [1, "state where service_name = 'Cell' and value = $1", Buffer.from('9007199254740993')],
  [5, 'state where service_name = any($1)', ['Cell', 'Nobody']],
  [0, 'state where service_name = any($1)', []],
  [0, 'state where service_name = any($1)', ['with "quotes", and {braces}']],
  [1, "state where service_name = 'Cell' and value_length = $1", 16],
  [0, "state where service_name = 'Cell' and value_length = $1", -1],
  [0, "state where service_name = 'Cell' and value_length = $1", 16.5],
  [2, 'sys_invocation where idempotency_key = any($1)', ['bytes', 'empty']],
  [0, 'sys_invocation where created_at < $1', MOMENT],
  [1, "sys_invocation where idempotency_key = 'bytes' and created_at > $1", MOMENT],
  [1, "sys_invocation where idempotency_key = 'bytes' and journal_size = any($1)", [1, 2]],
  [0, "sys_invocation where idempotency_key = 'bytes' and journal_size = $1", 2 ** 40],
  [4, 'sys_service where public = $1', true],
  [0, 'sys_service where public = $1', null],
  [5, 'sys_service where $1::text is null', null],
  [1, "(select id from sys_invocation where target_service_key = 'many' limit $1) it", 1],
]

// More rows than a driver fetches at once by itself.
export const MANY = "select id from sys_invocation where target_service_key = 'many'"
export const MANY_ROWS = 1000

export const OUTPUT = `
  select value from sys_journal j join sys_invocation i on i.id = j.id
  where entry_type = 'Command: Output' and idempotency_key = $1`
export const OUTPUTS = [['bytes', BYTES], ['empty', Buffer.alloc(0)], ['failed', null]]

// A query that does not end before it is cancelled.
export const ENDLESS = `
  select count(*) from generate_series(1, 1000000) a, generate_series(1, 1000000) b, generate_series(1, 1000) c`

// The errors that a program can tell apart by their SQLSTATE.
export const ERRORS = [
  ['42601', 'selec 1'],
  ['42P01', 'select 1 from nowhere'],
  ['42703', 'select nothing from state'],
  ['42883', 'select nothing(1)'],
  ['22P02', "select 'x'::int"],
  ['22012', 'select 1 / 0'],
  ['25006', "insert into state (key) values ('a')"],
  ['25006', 'delete from state'],
  ['25006', 'create table a (b int)'],
]
// Values that a parameter cannot have: SQLSTATE, condition and value.
export const BAD_VALUES = [
  ['22007', 'sys_invocation where created_at < $1', 'yesterday at noon'],
  ['22P02', 'sys_journal where index = $1', 'x'],
  ['22P02', 'sys_service where public = $1', 'perhaps'],
  ['22P02', 'state where value_length = $1', 'x'],
]

// A channel, what is heard on it after `change`, and how long to wait for it.
export const CHANNEL = 'state:Cell/listened'
export const HEARD = { service: 'Cell', key: 'listened', name: 'a' }
export const PATIENCE_MS = 30_000

// Changes the state that the channel is about.
export async function change() {
  const body = JSON.stringify({ k: 'a', v: 1 })
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${process.env.INGRESS}/Cell/listened/set`, { method: 'POST', headers, body })
  if (!response.ok) throw new Error(await response.text())
}
