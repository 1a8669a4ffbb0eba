//! Data directories: new, old, in use, and invalid.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn refusal(path: &Path) -> String {
    format!("{:#}", DataDir::open(path, 1).unwrap_err())
}

#[test]
fn a_directory_keeps_its_partitions_and_has_one_owner() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b");
    let first = DataDir::open(&path, 3).unwrap();
    assert_eq!(first.partitions, 3);
    let second = DataDir::open(&path, 1).unwrap_err();
    assert!(second.to_string().contains("another abide is running"), "{second}");
    drop(first);
    assert_eq!(DataDir::open(&path, 1).unwrap().partitions, 3);
}

/// Opening a named pipe blocks until it has a reader.
#[test]
fn a_lock_that_is_no_file_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    drop(DataDir::open(dir.path(), 1).unwrap());
    let lock = dir.path().join(LOCK);
    fs::remove_file(&lock).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&lock).status().unwrap().success());
    let refused = refusal(dir.path());
    assert!(refused.contains("LOCK is not a file; remove it"), "{refused}");
}

#[test]
fn a_foreign_directory_is_refused_and_left_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let refused = refusal(dir.path());
    assert!(
        refused.contains("is not a data directory, and not empty: it contains notes.txt"),
        "{refused}"
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left in it");
    let mode = fs::metadata(dir.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
    let refused = refusal(&dir.path().join("notes.txt"));
    assert!(refused.contains("notes.txt is a file"), "{refused}");
    // Files that a volume has, and a configuration kept with the data.
    fs::remove_file(dir.path().join("notes.txt")).unwrap();
    fs::create_dir(dir.path().join("lost+found")).unwrap();
    fs::write(dir.path().join("abide.toml"), "").unwrap();
    DataDir::open(dir.path(), 1).unwrap();
}

#[test]
fn a_directory_is_free_once_dropped_even_if_a_child_process_has_a_copy_of_its_lock() {
    let dir = tempfile::tempdir().unwrap();
    let opened = DataDir::open(dir.path(), 1).unwrap();
    // What a child has between its fork and its exec.
    let _copy = opened.lock.try_clone().unwrap();
    assert!(refusal(dir.path()).contains("another abide is running"));
    drop(opened);
    DataDir::open(dir.path(), 1).unwrap();
}

#[test]
fn a_new_directory_has_a_secret_of_its_own_and_keeps_it() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let open = |dir: &tempfile::TempDir| DataDir::open(dir.path(), 1).unwrap().derivation;
    let derivation = open(&one);
    assert!(matches!(derivation, Derivation::Secret(_)));
    assert_eq!(open(&one), derivation);
    assert_ne!(open(&other), derivation);
    let mode = fs::metadata(one.path().join(SECRET)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_directory_from_before_there_were_secrets_keeps_the_plain_rule() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(LAYOUT), "abide-data 1\npartitions 2\n").unwrap();
    for _ in 0..2 {
        let opened = DataDir::open(dir.path(), 1).unwrap();
        assert_eq!((opened.partitions, opened.derivation), (2, Derivation::Plain));
    }
    assert!(!dir.path().join(SECRET).exists());
}

#[test]
fn a_secret_that_is_missing_cut_or_anothers_is_refused_by_name() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(DataDir::open(dir.path(), 1).unwrap());
    drop(DataDir::open(other.path(), 1).unwrap());
    let secret = dir.path().join(SECRET);
    let own = fs::read(&secret).unwrap();
    let refused = |why: &str| {
        let refusal = refusal(dir.path());
        let named = refusal.contains("SECRET cannot be used; restore") && refusal.contains(why);
        assert!(named, "{refusal}");
    };
    fs::write(&secret, &own[..31]).unwrap();
    refused("31 bytes");
    fs::copy(other.path().join(SECRET), &secret).unwrap();
    refused("belongs to another directory");
    fs::remove_file(&secret).unwrap();
    refused("No such file");
    assert!(!secret.exists(), "nothing is made up");
    fs::write(&secret, own).unwrap();
    DataDir::open(dir.path(), 1).unwrap();
}

#[test]
fn a_layout_that_makes_no_sense_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (text, why) in [
        ("abide-data 9\npartitions 1\n", "'abide-data 9'"),
        ("", "its layout is ''"),
        ("abide-data 1\npartitions 0\n", "0 partitions, expected 1 to 256"),
        ("abide-data 1\npartitions 257\n", "257 partitions, expected 1 to 256"),
        ("abide-data 1\npartitions 70000\n", "how many partitions"),
        ("abide-data 2\npartitions 1\n", "which secret"),
        ("abide-data 2\npartitions 1\nsecret x\n", "which secret"),
    ] {
        fs::write(dir.path().join(LAYOUT), text).unwrap();
        let refusal = refusal(dir.path());
        assert!(refusal.contains("LAYOUT cannot be used") && refusal.contains(why), "{refusal}");
    }
}

#[test]
fn data_without_a_layout_is_not_taken_for_a_new_directory() {
    for remains in ["log", "partition-0.redb"] {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(remains)).unwrap();
        let refusal = refusal(dir.path());
        assert!(refusal.contains("LAYOUT is missing"), "{refusal}");
        assert!(refusal.contains(remains), "{refusal}");
        assert!(!dir.path().join(LAYOUT).exists());
    }
}

/// A crash during creation: nothing depends on the secret yet.
#[test]
fn a_secret_without_a_layout_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(SECRET), "cut").unwrap();
    let first = DataDir::open(dir.path(), 1).unwrap().derivation;
    assert_eq!(DataDir::open(dir.path(), 1).unwrap().derivation, first);
}

/// The layout is a draft until the log and the tables have been created. A start that did not get
/// that far is continued.
#[test]
fn a_directory_is_in_use_from_its_first_use_on() {
    let dir = tempfile::tempdir().unwrap();
    let first = DataDir::open(dir.path(), 3).unwrap();
    let derivation = first.derivation;
    assert!(!first.is_in_use);
    drop(first);
    fs::create_dir(dir.path().join("log")).unwrap();
    let second = DataDir::open(dir.path(), 1).unwrap();
    assert_eq!((second.partitions, second.derivation, second.is_in_use), (3, derivation, false));
    second.note_use().unwrap();
    drop(second);
    let third = DataDir::open(dir.path(), 1).unwrap();
    assert_eq!((third.partitions, third.derivation, third.is_in_use), (3, derivation, true));
    third.note_use().unwrap();
    assert!(dir.path().join(LAYOUT).exists());
    // An incomplete draft is ignored.
    let cut = tempfile::tempdir().unwrap();
    fs::write(cut.path().join("LAYOUT.new"), "abide-data 2\npartit").unwrap();
    assert_eq!(DataDir::open(cut.path(), 2).unwrap().partitions, 2);
}
