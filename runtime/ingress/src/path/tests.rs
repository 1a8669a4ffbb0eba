use super::*;

fn keyed(service: &str) -> Option<bool> {
    match service {
        "Greeter" => Some(false),
        "Counter" => Some(true),
        _ => None,
    }
}

fn address(service: &str, key: &str, handler: &str) -> Address {
    Address { service: service.into(), key: key.into(), handler: handler.into() }
}

#[test]
fn calls_and_sends_in_both_forms() {
    let greet = address("Greeter", "", "greet");
    let add = address("Counter", "a b", "add");
    for (path, route) in [
        ("/Greeter/greet", Route::Call(greet.clone())),
        ("//Greeter/greet/", Route::Call(greet.clone())),
        ("/Greeter/greet/send", Route::Send(greet.clone())),
        ("/restate/call/Greeter/greet", Route::Call(greet.clone())),
        ("/restate/send/Greeter/greet", Route::Send(greet)),
        ("/Counter/a%20b/add", Route::Call(add.clone())),
        ("/Counter/a%20b/add/send", Route::Send(add.clone())),
        ("/restate/send/Counter/a%20b/add", Route::Send(add)),
        ("/Counter//add", Route::Call(address("Counter", "", "add"))),
        ("/Counter/a%2Fb/add", Route::Call(address("Counter", "a/b", "add"))),
        ("/Counter/send/send", Route::Call(address("Counter", "send", "send"))),
    ] {
        assert_eq!(parse(path, keyed), Ok(route), "{path}");
    }
}

#[test]
fn results_of_named_invocations() {
    let by_key = |address| Named::Idempotent { address, idempotency_key: "k".into() };
    for (path, route) in [
        ("/restate/invocation/inv_1x/attach", Route::Attach(Named::Id("inv_1x".into()))),
        ("/restate/invocation/inv_1x/output", Route::Output(Named::Id("inv_1x".into()))),
        ("/restate/attach/inv_1x", Route::Attach(Named::Id("inv_1x".into()))),
        (
            "/restate/invocation/Greeter/greet/k/attach",
            Route::Attach(by_key(address("Greeter", "", "greet"))),
        ),
        (
            "/restate/invocation/Counter/c/add/k/output",
            Route::Output(by_key(address("Counter", "c", "add"))),
        ),
        (
            "/restate/workflow/W/1/attach",
            Route::Attach(Named::Workflow { name: "W".into(), key: "1".into() }),
        ),
        ("/restate/attach", Route::AttachBody),
        ("/restate/lookup", Route::Lookup),
        ("/restate/health", Route::Health),
        ("/restate/a/sign_1x/reject", Route::Awakeable { id: "sign_1x".into(), resolve: false }),
        (
            "/restate/awakeables/sign_1x%3D/resolve",
            Route::Awakeable { id: "sign_1x=".into(), resolve: true },
        ),
    ] {
        assert_eq!(parse(path, keyed), Ok(route), "{path}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let shape = |path: &str| matches!(parse(path, keyed), Err(PathError::Shape { .. }));
    assert!(shape("/"));
    assert!(shape("/Greeter"));
    assert!(shape("/Greeter/key/greet"));
    assert!(shape("/Counter/add"));
    assert!(shape("/Counter/key/add/more"));
    assert!(shape("/a/b/c/d/e/f/g/h"));
    assert_eq!(parse("/Nobody/greet", keyed), Err(PathError::UnknownService("Nobody".into())));
    // The service is looked up before the shape is checked.
    assert_eq!(parse("/Nobody/a/b/c", keyed), Err(PathError::UnknownService("Nobody".into())));
    assert_eq!(parse("/restate/nothing", keyed), Err(PathError::NotFound));
    assert_eq!(parse("/openapi/x", keyed), Err(PathError::NotFound));
    assert_eq!(parse("/restate/scope/s/call/Greeter/greet", keyed), Err(PathError::Scope));
    assert_eq!(parse("/Counter/%FF/add", keyed), Err(PathError::KeyNotText("%FF".into())));
}
