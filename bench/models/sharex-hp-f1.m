-- SPDX-License-Identifier: MIT
-- F1 of a sharex with host priority, as published: a guest that backs off after an exclusive release has
-- wiped all readers takes away a reader that is not there. Each lane has TRIES turns: lane 0, a host,
-- wants it exclusively, SHARERS hosts and GUESTS guests share. One rule is one atomic operation.
const
  SHARERS: 2;
  GUESTS: 1;
  TRIES: 1;
  NONE: 65536;
type
  lane: 0 .. SHARERS + GUESTS;
  word: 0 .. 65536;
  place: enum { START, TRY, AGAIN, ASK, UNSET, BACK_OFF, DROP_SHARE, LOOK, DROP, DONE };
var
  w: word;                              -- bit 0 exclusive, bit 1 host priority, 15:2 readers
  at: array [lane] of place;
  seen: array [lane] of word;
  left: array [lane] of 0 .. TRIES;
  ex: 0 .. 15;                          -- who was granted
  shared: 0 .. 15;

function has_ex(v: word): boolean; begin return v % 2 = 1; end;
function has_hp(v: word): boolean; begin return (v / 2) % 2 = 1; end;
function with_hp(v: word): word;
begin
  if has_hp(v) then return v; else return v + 2; end;
end;
function is_full(v: word): boolean; begin return v / 4 = 16383; end;
function plus_reader(v: word): word; begin return (v + 4) % 65536; end;
function minus_reader(v: word): word; begin return (v + 65532) % 65536; end;
procedure go(l: lane; p: place); begin at[l] := p; seen[l] := NONE; end;
procedure go_seeing(l: lane; p: place; v: word); begin at[l] := p; seen[l] := v; end;
procedure leave(l: lane);
begin
  left[l] := left[l] - 1;
  if left[l] = 0 then go(l, DONE); else go(l, TRY); end;
end;
procedure share(l: lane; old: word);
begin
  assert "the counter is full: the module halts" !is_full(old);
  shared := shared + 1;
  assert "mutual exclusion" ex = 0;
  go(l, DROP_SHARE);
end;

startstate begin
  w := 0; ex := 0; shared := 0;
  for l: lane do at[l] := START; seen[l] := NONE; left[l] := TRIES; end;
end;

ruleset l: lane do
  rule "start" at[l] = START ==> begin go(l, TRY); end;

  rule "try exclusive" at[l] = TRY & l = 0 ==> begin
    if w = 0 then w := 1; ex := ex + 1; assert ex = 1 & shared = 0; go(l, LOOK);
    elsif w = 2 then go_seeing(l, AGAIN, w);
    else go_seeing(l, ASK, w); end;
  end;
  rule "second try" at[l] = AGAIN ==> begin
    if w = 2 then w := 1; ex := ex + 1; assert ex = 1 & shared = 0; go(l, LOOK);
    else leave(l); end;
  end;
  rule "set the request" at[l] = ASK ==> begin w := with_hp(w); leave(l); end;

  rule "try shared" at[l] = TRY & l > 0 ==>
    var old: word;
  begin
    old := w;
    w := plus_reader(w);
    if l > SHARERS then
      if has_hp(old) then go_seeing(l, BACK_OFF, old);
      elsif has_ex(old) then leave(l);
      else share(l, old); end;
    elsif has_ex(old) then go_seeing(l, ASK, old);
    elsif has_hp(old) then go_seeing(l, UNSET, old);
    else share(l, old); end;
  end;
  rule "clear the request" at[l] = UNSET ==> begin
    if has_hp(w) then w := w - 2; end;
    share(l, seen[l]);
  end;
  rule "back off" at[l] = BACK_OFF ==> begin w := minus_reader(w); leave(l); end;

  rule "release a share" at[l] = DROP_SHARE ==> begin
    assert "misuse: the module halts" !has_ex(w) & w / 4 > 0;
    w := minus_reader(w); shared := shared - 1; leave(l);
  end;
  rule "look before the exclusive release" at[l] = LOOK ==> begin
    assert "misuse: the module halts" has_ex(w);
    go_seeing(l, DROP, w);
  end;
  rule "release" at[l] = DROP ==> begin
    if has_hp(w) then w := 2; else w := 0; end;
    ex := ex - 1; leave(l);
  end;
end;

invariant "nothing is left" (forall l: lane do at[l] = DONE end) -> w = 0 | w = 2;
