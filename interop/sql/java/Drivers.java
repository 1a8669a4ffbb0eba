import java.math.BigDecimal;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.sql.Array;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.postgresql.PGConnection;

/**
 * Runs the checks of the JDBC driver against the server that PGHOST and PGPORT name. The rows that it
 * reads are made by {@code e2e/suite/src/drivers/rows.rs}.
 */
final class Drivers {
  interface Check {
    void run() throws Exception;
  }

  interface Use {
    void of(Connection connection) throws Exception;
  }

  static final OffsetDateTime MOMENT =
      OffsetDateTime.of(2024, 2, 29, 12, 30, 15, 123_456_000, ZoneOffset.UTC);
  static final byte[] BYTES = {0, 1, (byte) 0xfe, (byte) 0xff};
  static final String MANY = "select id from sys_invocation where target_service_key = 'many'";
  static final int MANY_ROWS = 1000;
  static final String ENDLESS =
      "select count(*) from generate_series(1, 1000000) a, generate_series(1, 1000000) b,"
          + " generate_series(1, 1000) c";

  public static void main(String[] arguments) {
    Map<String, Check> checks = new LinkedHashMap<>();
    // The driver prepares a statement on the server, and receives binary values, from its fifth use
    // on; or from the first, or never.
    for (String settings : List.of("", "prepareThreshold=-1", "prepareThreshold=0",
        "preferQueryMode=simple")) {
      String mode = settings.isEmpty() ? "" : ", " + settings;
      checks.put("parameters of each type come back" + mode,
          () -> connected(settings, Drivers::parametersComeBack));
      checks.put("parameters are compared with columns of each type" + mode,
          () -> connected(settings, Drivers::parametersAreCompared));
      checks.put("results have the types of their columns" + mode,
          () -> connected(settings, Drivers::resultsHaveTypes));
    }
    checks.put("a statement is reused with other parameters",
        () -> connected("", Drivers::isReused));
    checks.put("a fetch size reads many rows in parts", () -> connected("", Drivers::fetchesParts));
    checks.put("cancelling from another thread", () -> connected("", Drivers::isCancelled));
    checks.put("a time limit cancels a query", () -> connected("", Drivers::isLimited));
    checks.put("errors have the right sqlstate", () -> connected("", Drivers::errorsHaveSqlstate));
    checks.put("a failed transaction is rolled back", () -> connected("", Drivers::rollsBack));
    checks.put("savepoints", () -> connected("", Drivers::savepoints));
    checks.put("a batch is refused as a write", () -> connected("", Drivers::batchIsRefused));
    checks.put("connection parameters", Drivers::hasParameters);
    checks.put("changes are heard", () -> connected("", Drivers::hearsChanges));
    checks.put("metadata: the server", () -> connected("", Drivers::describesServer));
    checks.put("metadata: schemas and tables", () -> connected("", Drivers::listsTables));
    checks.put("metadata: columns", () -> connected("", Drivers::describesColumns));
    checks.put("metadata: no keys and indexes", () -> connected("", Drivers::findsNoKeys));
    checks.put("metadata: types", () -> connected("", Drivers::listsTypes));
    checks.put("metadata: of a query", () -> connected("", Drivers::describesQueries));

    int faults = 0;
    for (Map.Entry<String, Check> check : checks.entrySet()) {
      try {
        check.getValue().run();
        System.out.println("ok    jdbc: " + check.getKey());
      } catch (Exception | AssertionError fault) {
        faults++;
        System.out.println("FAULT jdbc: " + check.getKey());
        fault.printStackTrace(System.out);
      }
    }
    System.exit(faults == 0 ? 0 : 1);
  }

  static void parametersComeBack(Connection connection) throws Exception {
    Object[][] values = {
      {"text", "grüße"}, {"text", ""}, {"int", -5}, {"bigint", 1L << 62}, {"boolean", true},
      {"boolean", false}, {"timestamptz", MOMENT}, {"bytea", BYTES}, {"bytea", new byte[0]},
      {"numeric", new BigDecimal("12.5")}, {"float8", 1.5},
    };
    each(values, value -> {
      try (var statement = connection.prepareStatement("select ?::" + value[0])) {
        statement.setObject(1, value[1]);
        equal(one(statement, value[1].getClass()), value[1]);
        statement.setNull(1, Types.NULL);
        equal(one(statement, value[1].getClass()), null);
      }
    });
    try (var statement = connection.prepareStatement("select ?::text[]")) {
      String[] texts = {"a", "grüße", "with \"quotes\", and {braces}"};
      statement.setArray(1, connection.createArrayOf("text", texts));
      equal(Arrays.asList((Object[]) one(statement, Array.class).getArray()), Arrays.asList(texts));
    }
    try (var statement = connection.prepareStatement("select ?::text, ?::text, ?::int")) {
      statement.setNull(1, Types.VARCHAR);
      statement.setString(2, "b");
      statement.setNull(3, Types.INTEGER);
      equal(rows(statement), List.of(Arrays.asList(null, "b", null)));
    }
  }

  static void parametersAreCompared(Connection connection) throws Exception {
    Array keys = connection.createArrayOf("text", new String[] {"bytes", "empty"});
    Array sizes = connection.createArrayOf("bigint", new Long[] {1L, 2L});
    Object[][] conditions = {
      {1, "state where value = ?", "9007199254740993".getBytes(StandardCharsets.UTF_8)},
      {1, "state where key = 'number' and value_length = ?", 16},
      {1, "state where key = 'number' and value_length = ?", new BigDecimal(16)},
      {0, "state where key = 'number' and value_length = ?", new BigDecimal("16.5")},
      {1, "state where key = 'number' and value_length < ?", 16.5},
      {2, "sys_invocation where idempotency_key = any(?)", keys},
      {0, "sys_invocation where created_at < ?", MOMENT},
      {1, "sys_invocation where idempotency_key = 'bytes' and created_at > ?", MOMENT},
      {1, "sys_invocation where idempotency_key = 'bytes' and journal_size = ?", 2L},
      {0, "sys_invocation where idempotency_key = 'bytes' and journal_size = ?", 1L << 40},
      {1, "sys_invocation where idempotency_key = 'bytes' and journal_size = any(?)", sizes},
      {4, "sys_service where public = ?", true},
      {0, "sys_service where name = ?", null},
      {1, "(select 1 from sys_service limit ?) it", 1},
    };
    each(conditions, condition -> {
      String query = "select count(*) from " + condition[1];
      try (var statement = connection.prepareStatement(query)) {
        statement.setObject(1, condition[2]);
        equal(one(statement, Long.class), Long.valueOf((Integer) condition[0]));
      }
    });
  }

  static void resultsHaveTypes(Connection connection) throws Exception {
    String query = "select *, now() as now from sys_invocation where idempotency_key = 'failed'";
    try (var statement = connection.prepareStatement(query); var row = statement.executeQuery()) {
      row.next();
      check(row.getString("id").startsWith("inv_"), row.getString("id"));
      OffsetDateTime created = row.getObject("created_at", OffsetDateTime.class);
      check(MOMENT.isBefore(created) && created.isBefore(OffsetDateTime.now()), created);
      check(!row.getObject("now", OffsetDateTime.class).isBefore(created), row.getString("now"));
      equal(row.getTimestamp("created_at").toInstant(), created.toInstant());
      equal(row.getObject("journal_size"), 2L);
      check(row.getBigDecimal("partition_key").signum() >= 0, row.getString("partition_key"));
      equal(row.getObject("retry_count"), null);
      equal(row.getObject("completion_retention").toString(),
          "0 years 0 mons 1 days 0 hours 0 mins 0.0 secs");
      equal(row.getString("target_service_key"), null);
      check(row.wasNull(), "a null is told from an empty text");
      check(!row.next(), "there is one row");
    }
    String output = "select value from sys_journal j join sys_invocation i on i.id = j.id"
        + " where entry_type = 'Command: Output' and idempotency_key = ?";
    Object[][] outputs = {{"bytes", BYTES}, {"empty", new byte[0]}, {"failed", null}};
    each(outputs, expected -> {
      try (var statement = connection.prepareStatement(output)) {
        statement.setString(1, (String) expected[0]);
        equal(one(statement, byte[].class), expected[1]);
      }
    });
    query = "select public, handlers from sys_service where name = 'List'";
    try (var statement = connection.prepareStatement(query); var row = statement.executeQuery()) {
      row.next();
      equal(row.getObject(1), true);
      equal(List.of((Object[]) row.getArray(2).getArray()), List.of("append", "all"));
    }
  }

  static void isReused(Connection connection) throws Exception {
    String query = "select count(*) from state where service_key = ? and key = ?";
    Object[][] uses = {{"kept", "word", 1L}, {"kept", "no", 0L}, {null, null, 0L}, {"held", "held", 1L}};
    try (var statement = connection.prepareStatement(query)) {
      // More often than it takes until the driver prepares it on the server.
      for (int round = 0; round < 3; round++) {
        each(uses, use -> {
          statement.setString(1, (String) use[0]);
          statement.setString(2, (String) use[1]);
          equal(one(statement, Long.class), use[2]);
        });
      }
    }
  }

  static void fetchesParts(Connection connection) throws Exception {
    // The driver fetches in parts only within a transaction.
    connection.setAutoCommit(false);
    try (var statement = connection.prepareStatement(MANY)) {
      statement.setFetchSize(70);
      equal(new HashSet<>(rows(statement)).size(), MANY_ROWS);
      statement.setMaxRows(10);
      equal(rows(statement).size(), 10);
    }
    connection.commit();
  }

  static void isCancelled(Connection connection) throws Exception {
    AtomicBoolean isOver = new AtomicBoolean();
    var cancelled = connection.unwrap(PGConnection.class);
    Thread canceller = new Thread(() -> {
      // The query may not have begun when it is cancelled for the first time.
      while (!isOver.get()) {
        try {
          cancelled.cancelQuery();
        } catch (SQLException unexpected) {
          throw new AssertionError(unexpected);
        }
      }
    });
    canceller.start();
    fails("57014", () -> one(connection, ENDLESS));
    isOver.set(true);
    canceller.join();
    equal(one(connection, "select 'a'"), "a");
  }

  static void isLimited(Connection connection) throws Exception {
    try (var statement = connection.createStatement()) {
      statement.setQueryTimeout(1);
      fails("57014", () -> statement.executeQuery(ENDLESS));
    }
    equal(one(connection, "select 'a'"), "a");
  }

  static void errorsHaveSqlstate(Connection connection) throws Exception {
    String[][] errors = {
      {"42601", "selec 1"}, {"42P01", "select 1 from nowhere"},
      {"42703", "select nothing from state"}, {"42883", "select nothing(1)"},
      {"22P02", "select 'x'::int"}, {"22012", "select 1 / 0"},
      {"25006", "insert into state (key) values ('a')"}, {"25006", "delete from state"},
      {"25006", "create table a (b int)"},
    };
    each(errors, error -> {
      try (var statement = connection.prepareStatement((String) error[1])) {
        fails((String) error[0], statement::execute);
      }
    });
    String[][] values = {
      {"22007", "sys_invocation where created_at < ?::timestamptz", "yesterday at noon"},
      {"22P02", "sys_journal where index = ?::bigint", "x"},
    };
    each(values, value -> {
      String query = "select count(*) from " + value[1];
      try (var statement = connection.prepareStatement(query)) {
        statement.setString(1, (String) value[2]);
        fails((String) value[0], statement::execute);
      }
    });
    equal(one(connection, "select 'a'"), "a");
  }

  static void rollsBack(Connection connection) throws Exception {
    connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
    // There is only one kind, whatever is asked for.
    equal(connection.getTransactionIsolation(), Connection.TRANSACTION_READ_COMMITTED);
    connection.setReadOnly(true);
    connection.setAutoCommit(false);
    fails("42P01", () -> one(connection, "select 1 from nowhere"));
    fails("25P02", () -> one(connection, "select 'a'"));
    connection.rollback();
    equal(one(connection, "select 'a'"), "a");
    connection.commit();
  }

  static void savepoints(Connection connection) throws Exception {
    connection.setAutoCommit(false);
    equal(one(connection, "select 'a'"), "a");
    var savepoint = connection.setSavepoint();
    fails("42P01", () -> one(connection, "select 1 from nowhere"));
    connection.rollback(savepoint);
    equal(one(connection, "select 'a'"), "a");
    connection.releaseSavepoint(savepoint);
    connection.commit();
  }

  static void batchIsRefused(Connection connection) throws Exception {
    try (var statement = connection.prepareStatement("insert into state (key) values (?)")) {
      for (String key : List.of("a", "b")) {
        statement.setString(1, key);
        statement.addBatch();
      }
      fails("25006", statement::executeBatch);
    }
    equal(one(connection, "select 'a'"), "a");
  }

  static void hasParameters() throws Exception {
    String settings = "ApplicationName=a program&options=-c extra_float_digits=2";
    connected(settings.replace(" ", "%20"), connection -> {
      equal(one(connection, "show application_name"), "a program");
      equal(one(connection, "show extra_float_digits"), "2");
      equal(one(connection, "select current_user"), "anyone");
      connection.setClientInfo("ApplicationName", "another");
      equal(one(connection, "show application_name"), "another");
      equal(connection.getSchema(), "public");
      check(connection.isValid(5), "the connection is valid");
    });
  }

  static void hearsChanges(Connection connection) throws Exception {
    String channel = "state:Cell/listened";
    try (var statement = connection.createStatement()) {
      statement.execute("listen \"" + channel + "\"");
      var change = HttpRequest.newBuilder(URI.create(System.getenv("INGRESS") + "/Cell/listened/set"))
          .header("content-type", "application/json")
          .POST(HttpRequest.BodyPublishers.ofString("{\"k\":\"a\",\"v\":1}"))
          .build();
      var response = HttpClient.newHttpClient().send(change, HttpResponse.BodyHandlers.ofString());
      equal(response.statusCode(), 200);
      // Returns as soon as there is one.
      var heard = connection.unwrap(PGConnection.class).getNotifications(30_000);
      equal(heard.length, 1);
      equal(heard[0].getName(), channel);
      equal(heard[0].getParameter(), "{\"service\":\"Cell\",\"key\":\"listened\",\"name\":\"a\"}");
      statement.execute("unlisten *");
    }
    equal(one(connection, "select 'a'"), "a");
  }

  static void describesServer(Connection connection) throws Exception {
    DatabaseMetaData server = connection.getMetaData();
    equal(server.getDatabaseProductName(), "PostgreSQL");
    equal(server.getDatabaseMajorVersion(), 15);
    equal(server.getUserName(), "anyone");
    equal(server.getMaxColumnNameLength(), 63);
    check(!server.getSQLKeywords().isEmpty(), "there are keywords");
    check(!column(server.getCatalogs(), "TABLE_CAT").isEmpty(), "there is a database");
    check(column(server.getTableTypes(), "TABLE_TYPE").contains("TABLE"), "there are tables");
  }

  static void listsTables(Connection connection) throws Exception {
    DatabaseMetaData server = connection.getMetaData();
    check(column(server.getSchemas(), "TABLE_SCHEM").contains("public"), "there is a schema");
    Set<String> tables = Set.of("state", "sys_invocation", "sys_journal", "sys_service");
    String[] types = {"TABLE"};
    Object[][] places = {{null, null}, {null, "public"}, {connection.getCatalog(), "public"}};
    each(places, place -> {
      var found = server.getTables((String) place[0], (String) place[1], "%", types);
      check(column(found, "TABLE_NAME").containsAll(tables), "all tables are there");
    });
    equal(column(server.getTables(null, "public", "sys\\_journal", types), "REMARKS"),
        List.of("Journals: a row for each entry."));
    equal(column(server.getTables(null, "public", "%", new String[] {"VIEW"}), "TABLE_NAME"),
        List.of("sys_usage"));
  }

  static void describesColumns(Connection connection) throws Exception {
    Object[][] columns = {
      {"sys_invocation", "target_service_name", Types.VARCHAR, "text"},
      {"sys_invocation", "created_at", Types.TIMESTAMP, "timestamptz"},
      {"sys_invocation", "completion_retention", Types.OTHER, "interval"},
      {"sys_invocation", "journal_size", Types.BIGINT, "int8"},
      {"sys_invocation", "partition_key", Types.NUMERIC, "numeric"},
      {"state", "value", Types.BINARY, "bytea"},
      {"sys_service", "public", Types.BIT, "bool"},
      {"sys_service", "handlers", Types.ARRAY, "_text"},
    };
    each(columns, expected -> {
      var found = connection.getMetaData().getColumns(
          null, "public", (String) expected[0], (String) expected[1]);
      check(found.next(), "the column is listed");
      equal(found.getInt("DATA_TYPE"), expected[2]);
      equal(found.getString("TYPE_NAME"), expected[3]);
      equal(found.getString("IS_NULLABLE"), "YES");
      check(found.getString("REMARKS") != null, "there is a comment");
      check(!found.next(), "the column is listed once");
    });
    // Positions begin with 1 and leave nothing out.
    var found = connection.getMetaData().getColumns(null, "public", "state", "%");
    List<Object> positions = column(found, "ORDINAL_POSITION");
    for (int position = 1; position <= positions.size(); position++) {
      equal(positions.get(position - 1), position);
    }
    equal(positions.size(), 13);
  }

  static void findsNoKeys(Connection connection) throws Exception {
    DatabaseMetaData server = connection.getMetaData();
    String table = "sys_invocation";
    equal(column(server.getPrimaryKeys(null, "public", table), "COLUMN_NAME"), List.of());
    equal(column(server.getImportedKeys(null, "public", table), "FKCOLUMN_NAME"), List.of());
    equal(column(server.getExportedKeys(null, "public", table), "FKCOLUMN_NAME"), List.of());
    equal(column(server.getIndexInfo(null, "public", table, false, true), "INDEX_NAME"), List.of());
    equal(column(server.getBestRowIdentifier(null, "public", table, 0, true), "COLUMN_NAME"),
        List.of());
    equal(column(server.getProcedures(null, "public", "%"), "PROCEDURE_NAME"), List.of());
    equal(column(server.getFunctions(null, "public", "%"), "FUNCTION_NAME"), List.of());
    column(server.getTablePrivileges(null, "public", table), "PRIVILEGE");
  }

  static void listsTypes(Connection connection) throws Exception {
    List<Object> types = column(connection.getMetaData().getTypeInfo(), "TYPE_NAME");
    check(types.containsAll(List.of("text", "int8", "timestamptz", "bytea", "bool", "numeric")), types);
  }

  static void describesQueries(Connection connection) throws Exception {
    String query = "select id, created_at, count(*) from sys_invocation where id = ? group by 1, 2";
    try (PreparedStatement statement = connection.prepareStatement(query)) {
      var columns = statement.getMetaData();
      equal(columns.getColumnCount(), 3);
      equal(columns.getColumnTypeName(2), "timestamptz");
      equal(columns.getColumnClassName(3), "java.lang.Long");
      equal(statement.getParameterMetaData().getParameterTypeName(1), "text");
    }
  }

  // What the checks are made of.

  static void connected(String settings, Use use) throws Exception {
    String address = System.getenv("PGHOST") + ":" + System.getenv("PGPORT");
    Properties user = new Properties();
    user.setProperty("user", "anyone");
    try (Connection connection = DriverManager.getConnection(
        "jdbc:postgresql://" + address + "/anything?" + settings, user)) {
      use.of(connection);
    }
  }

  interface OfCase {
    void run(Object[] one) throws Exception;
  }

  /** Calls a function with each case, so that a fault in one does not hide those in others. */
  static void each(Object[][] cases, OfCase function) {
    List<String> faults = new ArrayList<>();
    for (Object[] one : cases) {
      try {
        function.run(one);
      } catch (Exception | AssertionError fault) {
        faults.add(Arrays.deepToString(one) + ": " + fault.getMessage());
      }
    }
    check(faults.isEmpty(), "\n" + String.join("\n", faults));
  }

  static void check(boolean holds, Object otherwise) {
    if (!holds) throw new AssertionError(otherwise);
  }

  static void equal(Object actual, Object expected) {
    boolean same = Objects.deepEquals(actual, expected);
    // Scale and zone are not part of a value.
    if (actual instanceof BigDecimal number && expected instanceof BigDecimal other) {
      same = number.compareTo(other) == 0;
    } else if (actual instanceof OffsetDateTime time && expected instanceof OffsetDateTime other) {
      same = time.isEqual(other);
    }
    Object[] both = {actual, expected};
    check(same, "actual and expected: " + Arrays.deepToString(both));
  }

  static void fails(String code, Check check) throws Exception {
    try {
      check.run();
    } catch (SQLException error) {
      check(code.equals(error.getSQLState()), error.getSQLState() + " " + error.getMessage());
      return;
    }
    throw new AssertionError("it succeeds");
  }

  static Object one(Connection connection, String query) throws SQLException {
    try (var statement = connection.prepareStatement(query)) {
      return one(statement, Object.class);
    }
  }

  static <T> T one(PreparedStatement statement, Class<T> type) throws SQLException {
    try (ResultSet row = statement.executeQuery()) {
      check(row.next(), "there is a row");
      Object value = switch (type.getSimpleName()) {
        case "Object" -> row.getObject(1);
        case "byte[]" -> row.getBytes(1);
        case "Array" -> row.getArray(1);
        default -> row.getObject(1, type);
      };
      check(!row.next(), "there is only one row");
      @SuppressWarnings("unchecked") T typed = (T) value;
      return typed;
    }
  }

  static List<List<Object>> rows(PreparedStatement statement) throws SQLException {
    List<List<Object>> rows = new ArrayList<>();
    try (ResultSet row = statement.executeQuery()) {
      while (row.next()) {
        List<Object> values = new ArrayList<>();
        for (int at = 1; at <= row.getMetaData().getColumnCount(); at++) {
          values.add(row.getObject(at));
        }
        rows.add(values);
      }
    }
    return rows;
  }

  static List<Object> column(ResultSet row, String name) throws SQLException {
    List<Object> values = new ArrayList<>();
    try (row) {
      while (row.next()) values.add(row.getObject(name));
    }
    return values;
  }
}
