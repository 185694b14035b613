//! `send --resume`: where a run goes on, and when it begins anew.

use std::io::Read as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::send::{LINES, run, text};
use crate::support::{Service, run_at, said, scores};
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_where_the_last_one_stopped() {
    let folder = tempdir().expect("a folder");
    let service = Service::start(&folder.path().join("data"), &[]);
    let file = folder.path().join("events.jsonl");
    std::fs::write(&file, (1..=5).map(line).collect::<String>()).expect("a file");
    let place = folder.path().join("place");
    let arguments = ["send", text(&file), "--resume", text(&place)];
    let first = run(&service, &arguments);
    assert_eq!(said(&first), "5 events acknowledged, 0 lines refused\n");
    let second = run(&service, &arguments);
    assert_eq!(
        said(&second),
        "0 events acknowledged, 0 lines refused; 5 rows were done before\n"
    );
    let other = folder.path().join("other.jsonl");
    std::fs::write(&other, (6..=7).map(line).collect::<String>()).expect("a second file");
    let both = ["send", text(&file), text(&other), "--resume", text(&place)];
    let third = run(&service, &both);
    assert_eq!(
        said(&third),
        "2 events acknowledged, 0 lines refused; 5 rows were done before\n"
    );
    assert_eq!(scores(&service).await.len(), 7);
}

/// A place says what a store acknowledged, which another store, or an older copy of it, does not have.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_of_another_store_is_told_and_everything_is_sent_again() {
    let folder = tempdir().expect("a folder");
    let data = folder.path().join("data");
    let file = folder.path().join("events.jsonl");
    let place = folder.path().join("place");
    let arguments = ["send", text(&file), "--resume", text(&place)];
    let write = |last: u64| {
        std::fs::write(&file, (1..=last).map(line).collect::<String>()).expect("a file");
    };
    let stop = |service: Service| {
        service.signal("TERM");
        assert!(service.wait(Duration::from_secs(30)).status.success());
    };
    write(2);
    let service = Service::start(&data, &[]);
    assert!(run(&service, &arguments).status.success());
    stop(service);
    let backup = folder.path().join("backup");
    copy_folder(&data, &backup);
    write(5);
    let service = Service::start(&data, &[]);
    assert!(run(&service, &arguments).status.success());
    let again = run(&service, &arguments);
    assert_eq!(
        said(&again),
        "0 events acknowledged, 0 lines refused; 5 rows were done before\n"
    );
    stop(service);

    // There is nothing to send, and the restored store lacks three rows all the same.
    let service = Service::start(&backup, &[]);
    let sent = run(&service, &arguments);
    let expected = "the rows that are done were acknowledged up to event 7, and the server was restored to event \
                    2: sending all files from their beginning\n5 events acknowledged, 0 lines refused\n";
    assert_eq!(said(&sent), expected);
    assert_eq!(scores(&service).await.len(), 5);
    drop(service);

    let service = Service::start(&folder.path().join("other"), &[]);
    let sent = run(&service, &arguments);
    assert!(sent.status.success());
    let told = said(&sent);
    assert!(
        told.starts_with("the rows that are done were acknowledged by store ")
            && told.ends_with(
                ": sending all files from their beginning\n5 events acknowledged, 0 lines refused\n"
            ),
        "{told}"
    );
    assert_eq!(scores(&service).await.len(), 5);
    let again = run(&service, &arguments);
    assert_eq!(
        said(&again),
        "0 events acknowledged, 0 lines refused; 5 rows were done before\n"
    );
}

/// Passes connections to two servers in turn, and breaks each after some acknowledgements.
fn in_turn(servers: [String; 2]) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        for (client, server) in listener.incoming().zip(servers.iter().cycle()) {
            let mut client = client.expect("a connection");
            let mut server = TcpStream::connect(server).expect("the server is there");
            let mut sent = client.try_clone().expect("a handle");
            let mut taken = server.try_clone().expect("a handle");
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut sent, &mut taken);
                let _ = taken.shutdown(std::net::Shutdown::Both);
            });
            // Behind the headers of the response, and before the last acknowledgement.
            let _ = std::io::copy(&mut (&mut server).take(3_000), &mut client);
            for stream in [client, server] {
                let _ = stream.shutdown(std::net::Shutdown::Both);
            }
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stores_at_one_address_do_not_make_a_sender_begin_without_end() {
    let folder = tempdir().expect("a folder");
    let [one, other] = ["one", "other"].map(|name| Service::start(&folder.path().join(name), &[]));
    let file = folder.path().join("events.jsonl");
    let place = folder.path().join("place");
    std::fs::write(&file, (1..=2_000).map(line).collect::<String>()).expect("a file");
    let address = in_turn([one.grpc.clone(), other.grpc.clone()]);
    let arguments = [
        "send",
        text(&file),
        "--resume",
        text(&place),
        "--batch",
        "1",
    ];
    let refused = run_at(&address, &arguments);
    let said = said(&refused);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert_eq!(
        said.matches(": sending all files from their beginning")
            .count(),
        1,
        "{said}"
    );
    assert!(
        said.contains("has changed its store again: name the address of one server"),
        "{said}"
    );
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("made");
    for entry in std::fs::read_dir(from).expect("listed") {
        let path = entry.expect("listed").path();
        let copy = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_folder(&path, &copy);
        } else {
            std::fs::copy(&path, copy).expect("copied");
        }
    }
}

/// Line `number` of a file of good events.
fn line(number: u64) -> String {
    format!("{{\"token_id\":\"T\",\"holder_id\":\"h{number}\",\"start\":0,\"end\":{number}}}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_sent_from_its_beginning() {
    let folder = tempdir().expect("a folder");
    let service = Service::start(&folder.path().join("data"), &[]);
    let file = folder.path().join("day.jsonl");
    let place = folder.path().join("place");
    let arguments = ["send", text(&file), "--resume", text(&place)];
    std::fs::write(&file, (1..=5).map(line).collect::<String>()).expect("a file");
    assert!(run(&service, &arguments).status.success());
    // Longer, shorter, and of the same length at another time.
    for (first, count, holders) in [(2, 7, 8), (1, 4, 8), (6, 4, 9)] {
        let rows: String = (first..first + count).map(line).collect();
        std::fs::write(&file, rows).expect("another file");
        let sent = run(&service, &arguments);
        assert!(sent.status.success(), "{}", said(&sent));
        let expected = format!(
            "{} has changed since it was sent: sending it from its beginning\n\
             {count} events acknowledged, 0 lines refused\n",
            text(&file),
        );
        assert_eq!(said(&sent), expected);
        assert_eq!(scores(&service).await.len(), holders);
    }
    std::fs::write(&place, "{\"rows\":5}").expect("a file of another kind");
    let refused = run(&service, &arguments);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    let expected = format!(
        "error: --resume {}: not a file of send --resume; remove it to send all files from the beginning: ",
        text(&place)
    );
    assert!(said(&refused).starts_with(&expected), "{}", said(&refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_lines_behind_the_checkpoint_are_written_again() {
    let folder = tempdir().expect("a folder");
    let service = Service::start(&folder.path().join("data"), &[]);
    let path = |name| folder.path().join(name);
    let (file, place, rejects) = (path("a.jsonl"), path("place"), path("rejects.jsonl"));
    std::fs::write(&file, LINES).expect("a file");
    let arguments = [
        "send",
        text(&file),
        "--resume",
        text(&place),
        "--rejects",
        text(&rejects),
    ];
    assert!(run(&service, &arguments).status.success());
    let listed = std::fs::read_to_string(&rejects).expect("a list");
    assert_eq!(listed.lines().count(), 3);
    // A run that was killed had listed a line before its checkpoint covered it.
    std::fs::write(&rejects, format!("{listed}{{\"file\":\"a.jsonl\"}}\n")).expect("a list");
    let more = path("b.jsonl");
    std::fs::write(&more, "nonsense\n").expect("a second file");
    let arguments = [&arguments[..], &[text(&more)]].concat();
    assert!(run(&service, &arguments).status.success());
    let after = std::fs::read_to_string(&rejects).expect("a list");
    assert!(after.starts_with(&listed), "{after}");
    assert_eq!(after.lines().count(), 4, "{after}");
    assert!(after.contains("b.jsonl"), "{after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_a_sender_with_its_place_saved() {
    let folder = tempdir().expect("a folder");
    let service = Service::start(&folder.path().join("data"), &[]);
    let (file, pipe) = (folder.path().join("a.jsonl"), folder.path().join("b.jsonl"));
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo is there").success());
    for (name, first) in [("TERM", 1), ("INT", 4)] {
        std::fs::write(&file, (first..first + 3).map(line).collect::<String>()).expect("a file");
        let place = folder.path().join(name);
        // It waits for a pipe that says nothing, so it is there when the signal comes.
        let sender = Command::new(env!("CARGO_BIN_EXE_main_holdmetrics"))
            .args(["send", text(&file), text(&pipe), "--input-format", "jsonl"])
            .args(["--batch", "1", "--resume", text(&place)])
            .args(["--server", &format!("http://{}", service.grpc)])
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let kept_open = std::fs::File::create(&pipe).expect("somebody reads");
        while scores(&service).await.len() < usize::try_from(first + 2).expect("few") {}
        let status = Command::new("kill")
            .args([format!("-{name}"), sender.id().to_string()])
            .status();
        assert!(status.expect("kill is there").success());
        let ended = sender.wait_with_output().expect("it ends");
        assert_eq!(ended.status.code(), Some(130), "{}", said(&ended));
        assert!(
            said(&ended).contains("run it again to continue from there\nerror: interrupted\n"),
            "{}",
            said(&ended)
        );
        drop(kept_open);
        let place = std::fs::read_to_string(&place).expect("a place");
        assert!(place.contains("\"rows\":"), "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_may_be_unfinished_is_left_to_a_later_run() {
    let folder = tempdir().expect("a folder");
    let service = Service::start(&folder.path().join("data"), &[]);
    let place = folder.path().join("place.json");
    let file = folder.path().join("events.csv");
    let resume = ["send", text(&file), "--resume", text(&place)];
    std::fs::write(&file, "token_id,holder_id,sta").expect("a file");
    let sent = run(&service, &resume);
    assert!(
        sent.status.success() && said(&sent).contains("events.csv:1: not sent: no line break"),
        "{}",
        said(&sent)
    );
    // Its writer has got as far as 1 of 12.5.
    let begun = "token_id,holder_id,start,end,weight\nT,a,0,1000,1\nT,b,0,1000,1";
    std::fs::write(&file, begun).expect("a file");
    let sent = run(&service, &resume);
    let said = said(&sent);
    assert!(sent.status.success(), "{said}");
    assert!(
        said.contains("events.csv:3: not sent: no line break ends the file"),
        "{said}"
    );
    assert!(said.contains("1 events acknowledged"), "{said}");
    std::fs::write(&file, format!("{begun}2.5\n")).expect("a file");
    assert!(run(&service, &resume).status.success());
    // Without a place to go on from, the file is all there is.
    std::fs::write(&file, "token_id,holder_id,start,end\nT,c,0,500").expect("a file");
    assert!(run(&service, &resume[..2]).status.success());
    let rows = [("b", "12.5"), ("a", "1"), ("c", "0.5")];
    let rows = rows.map(|(holder, score)| (holder.to_owned(), score.to_owned()));
    assert_eq!(scores(&service).await, rows);
}
