// `pg`, which sends values as text and lets the server find out their types.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import pg from 'pg'
import Cursor from 'pg-cursor'
import QueryStream from 'pg-query-stream'
import {
  BAD_VALUES, BYTES, CHANNEL, CONDITIONS, ENDLESS, ERRORS, HEARD, MANY, MANY_ROWS, MOMENT, OUTPUT, OUTPUTS, PATIENCE_MS,
  VALUES, change,
} from './rows.mjs'

async function connected(use, settings = {}) {
  const client = new pg.Client(settings)
  await client.connect()
  try {
    await use(client)
  } finally {
    await client.end()
  }
}

// Calls a function with each case, so that a fault in one does not hide those in others.
async function each(cases, use) {
  const faults = []
  for (const one of cases) {
    try {
      await use(...one)
    } catch (error) {
      faults.push(`${JSON.stringify(one, (_, it) => (typeof it === 'bigint' ? `${it}` : it))}: ${error.message}`)
    }
  }
  assert.equal(faults.length, 0, `\n${faults.join('\n')}`)
}

async function value(client, text, values, settings) {
  const { rows } = await client.query({ text, values, rowMode: 'array', ...settings })
  assert.equal(rows.length, 1)
  assert.equal(rows[0].length, 1)
  return rows[0][0]
}

async function fails(client, code, text, values) {
  await assert.rejects(client.query(text, values), (error) => {
    assert.equal(error.code, code, `${text}: ${error.code} ${error.message}`)
    return true
  })
}

function parameters_of_each_type_come_back() {
  return connected((client) => each(VALUES, async (type, sent, expected) => {
    assert.deepEqual(await value(client, `select $1::${type}`, [sent]), expected)
    assert.equal(await value(client, `select $1::${type}`, [null]), null)
  }))
}

function null_parameters_keep_their_places() {
  return connected(async (client) => {
    const { rows } = await client.query('select $1::text as a, $2::text as b, $3::text as c', [null, 'b', null])
    assert.deepEqual(rows, [{ a: null, b: 'b', c: null }])
  })
}

function parameters_are_compared_with_columns_of_each_type() {
  return connected((client) => each(CONDITIONS, async (expected, condition, sent) => {
    assert.equal(await value(client, `select count(*) from ${condition}`, [sent]), `${expected}`)
  }))
}

async function results_have_the_types_of_their_columns() {
  await connected((client) => each([[false], [true]], async (binary) => {
    const query = {
      text: "select *, now() as now from sys_invocation where idempotency_key = 'failed'",
      binary,
    }
    const { rows: [row], fields } = await client.query(query)
    assert.match(row.id, /^inv_/)
    assert(row.created_at instanceof Date && MOMENT < row.created_at, row.created_at)
    assert(row.created_at <= row.completed_at && row.completed_at <= row.now, `${row.now}`)
    // Numbers that JavaScript has no exact type for are texts.
    assert.equal(`${row.journal_size}`, '2')
    assert.match(`${row.partition_key}`, /^[0-9]+$/)
    assert.deepEqual([row.target_service_key, row.retry_count, row.completion_failure], [null, null, '[409] refused'])
    if (!binary) assert.deepEqual({ ...row.completion_retention }, { days: 1 })
    const types = Object.fromEntries(fields.map((field) => [field.name, field.dataTypeID]))
    assert.equal(types.created_at, pg.types.builtins.TIMESTAMPTZ)
    assert.equal(types.now, pg.types.builtins.TIMESTAMPTZ)
    assert.equal(types.completion_retention, pg.types.builtins.INTERVAL)
  }))
  await connected(async (client) => {
    await each(OUTPUTS, async (key, expected) => {
      // The driver reads bytes as text only.
      assert.deepEqual(await value(client, OUTPUT, [key]), expected)
    })
    const { rows } = await client.query("select public, handlers, alias from sys_service where name = 'List'")
    assert.deepEqual(rows, [{ public: true, handlers: ['append', 'all'], alias: null }])
  })
}

function columns_of_the_same_name_are_both_there() {
  return connected(async (client) => {
    const { rows } = await client.query({
      text: "select a.name, b.name from sys_service a, sys_service b where a.name = 'Lab' and b.name = 'Flow'",
      rowMode: 'array',
    })
    assert.deepEqual(rows, [['Lab', 'Flow']])
  })
}

function named_statements_are_reused_with_other_parameters() {
  return connected((client) => each(
    [['kept', 'word', '1'], ['kept', 'no', '0'], [null, null, '0'], ['held', 'held', '1']],
    async (service, key, expected) => {
      const text = 'select count(*) from state where service_key = $1 and key = $2'
      assert.equal(await value(client, text, [service, key], { name: 'of-key' }), expected)
    },
  ))
}

function cursors_read_many_rows_in_parts() {
  return connected(async (client) => {
    const cursor = client.query(new Cursor(`${MANY} and status = $1`, ['completed']))
    const parts = []
    for (let rows = await cursor.read(300); rows.length > 0; rows = await cursor.read(300)) parts.push(rows.length)
    assert.deepEqual(parts, [300, 300, 300, MANY_ROWS - 900])
    await cursor.close()
    // A cursor that is closed early leaves the connection usable.
    const early = client.query(new Cursor(MANY))
    assert.equal((await early.read(1)).length, 1)
    await early.close()
    assert.equal(await value(client, "select 'a'"), 'a')
  })
}

function rows_are_streamed() {
  return connected(async (client) => {
    const ids = new Set()
    for await (const row of client.query(new QueryStream(MANY, [], { batchSize: 70 }))) ids.add(row.id)
    assert.equal(ids.size, MANY_ROWS)
  })
}

function cancelling_from_another_connection() {
  return connected(async (client) => {
    const query = new pg.Query(ENDLESS)
    let over = false
    const ended = new Promise((resolve) => query.on('error', resolve).on('end', () => resolve()))
    client.query(query)
    ended.then(() => (over = true))
    // The query may not have begun when it is cancelled for the first time.
    while (!over) {
      const canceller = new pg.Client()
      const closed = new Promise((resolve) => canceller.connection.once('end', resolve))
      canceller.cancel(client, query)
      await closed
    }
    assert.equal((await ended)?.code, '57014')
    assert.equal(await value(client, "select 'a'"), 'a')
  })
}

function errors_have_the_right_sqlstate() {
  return connected(async (client) => {
    await each(ERRORS.flatMap((one) => [one, [...one, []]]), (...one) => fails(client, ...one))
    await each(BAD_VALUES, (code, condition, sent) =>
      fails(client, code, `select count(*) from ${condition}`, [sent]))
    assert.equal(await value(client, "select 'a'"), 'a')
  })
}

function several_statements_in_one_message() {
  return connected(async (client) => {
    const results = await client.query("select 'a' as a; begin; select 'b' as b; commit")
    assert.deepEqual(results.map((result) => result.command), ['SELECT', 'BEGIN', 'SELECT', 'COMMIT'])
    assert.deepEqual(results[2].rows, [{ b: 'b' }])
  })
}

function a_failed_transaction_is_rolled_back() {
  return connected(async (client) => {
    await client.query('begin')
    await fails(client, '42P01', 'select 1 from nowhere')
    await fails(client, '25P02', 'select 1')
    await fails(client, '25P02', 'select $1', ['a'])
    await client.query('rollback')
    assert.equal(await value(client, "select 'a'"), 'a')
  })
}

async function a_pool_serves_many_queries_at_once() {
  const pool = new pg.Pool({ max: 4 })
  const numbers = [...Array(40).keys()]
  const rows = await Promise.all(numbers.map((number) => pool.query('select $1::int as number', [number])))
  assert.deepEqual(rows.map((result) => result.rows[0].number), numbers)
  await pool.end()
}

function connection_parameters() {
  const settings = { user: 'someone else', database: 'whatever', application_name: 'a program', options: '-c extra_float_digits=2' }
  return connected(async (client) => {
    await each([
      ['show application_name', 'a program'],
      ["select current_setting('application_name')", 'a program'],
      ['show extra_float_digits', '2'],
      ['select current_user', 'someone else'],
    ], async (text, expected) => assert.equal(await value(client, text), expected))
  }, settings)
}

function changes_are_heard() {
  return connected(async (client) => {
    await client.query(`listen "${CHANNEL}"`)
    const heard = once(client, 'notification', { signal: AbortSignal.timeout(PATIENCE_MS) })
    await change()
    const [{ channel, payload }] = await heard
    assert.deepEqual([channel, JSON.parse(payload)], [CHANNEL, HEARD])
    await client.query('unlisten *')
    assert.equal(await value(client, "select 'a'"), 'a')
  })
}

export const checks = [
  parameters_of_each_type_come_back,
  null_parameters_keep_their_places,
  parameters_are_compared_with_columns_of_each_type,
  results_have_the_types_of_their_columns,
  columns_of_the_same_name_are_both_there,
  named_statements_are_reused_with_other_parameters,
  cursors_read_many_rows_in_parts,
  rows_are_streamed,
  cancelling_from_another_connection,
  errors_have_the_right_sqlstate,
  several_statements_in_one_message,
  a_failed_transaction_is_rolled_back,
  a_pool_serves_many_queries_at_once,
  connection_parameters,
  changes_are_heard,
]
