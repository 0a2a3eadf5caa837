from phenviz.tracks.throttle import Debounce, Throttle


class Clock:
    """A document that keeps time only when told to."""

    def __init__(self):
        self.now, self.waiting = 0, {}

    def add_timeout_callback(self, callback, timeout_milliseconds):
        key = object()
        self.waiting[key] = (self.now + timeout_milliseconds, callback)
        return key

    def remove_timeout_callback(self, callback_obj):
        del self.waiting[callback_obj]

    def pass_time(self, milliseconds):
        self.now += milliseconds
        for key, (due, callback) in list(self.waiting.items()):
            if due <= self.now:
                del self.waiting[key]
                callback()


def moving(kind, clock, calls):
    ask = kind(lambda: clock, 50, lambda: calls.append(clock.now))
    for _ in range(20):
        ask()
        clock.pass_time(10)
    return ask


def test_a_throttle_acts_regularly_while_it_is_asked():
    clock, calls = Clock(), []
    moving(Throttle, clock, calls)
    assert calls == [50, 100, 150, 200]


def test_a_debounce_acts_once_when_all_is_quiet():
    clock, calls = Clock(), []
    moving(Debounce, clock, calls)
    assert calls == []
    clock.pass_time(50)
    clock.pass_time(500)
    assert calls == [250]


def test_a_cancelled_call_is_not_made():
    clock, calls = Clock(), []
    ask = Throttle(lambda: clock, 50, lambda: calls.append(clock.now))
    ask()
    ask.cancel()
    clock.pass_time(1_000)
    assert calls == []


def test_without_a_document_the_action_is_taken_at_once():
    calls = []
    Debounce(lambda: None, 50, lambda: calls.append(1))()
    assert calls == [1]
