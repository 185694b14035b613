//! The service in this process, called over sockets of each test's own, on both protocols. The tests of what the
//! servers in Python have too are run against those as well, unchanged: `make test-python-servers`.

#[path = "../support/authority.rs"]
mod authority;
#[path = "../support/faulty.rs"]
mod faulty;
#[path = "../support/published_cases.rs"]
mod published_cases;
#[path = "../support/rule_gate.rs"]
mod rule_gate;

mod access;
mod admin;
mod calls;
mod case_messages;
mod cases;
mod changes;
mod deficits;
mod failures;
mod feed;
mod feed_http;
mod gate;
mod generated;
mod grpc_events;
mod grpc_queries;
mod hold;
mod http;
mod large_messages;
mod lifetime;
mod limits;
mod pages;
mod policies;
mod python_server;
mod rounds;
mod security;
mod sites;
mod support;
mod tls;
