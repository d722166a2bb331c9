-- SPDX-License-Identifier: MIT
-- sharex with host priority, as published. Each lane has TRIES turns: lane 0 shares and promotes, lane 1
-- wants it exclusively until granted, GUESTS guests want it exclusively, SHARERS hosts share. One rule is
-- one atomic operation; "seen" is what the lane has read in the operation that it is in.
const
  GUESTS: 1;
  SHARERS: 1;
  TRIES: 2;
  NONE: 255;
type
  lane: 0 .. 1 + GUESTS + SHARERS;
  word: 0 .. 255;
  place: enum { START, TRY, AGAIN, ASK, UNSET, PAUSE, PROMOTE, PROMOTE_AGAIN, PROMOTE_ASK,
                DROP_SHARE, LOOK, DROP, DONE };
var
  w: word;                              -- bit 0 exclusive, bit 1 host priority, 7:2 readers
  at: array [lane] of place;
  seen: array [lane] of word;
  left: array [lane] of 0 .. TRIES;
  over: boolean;

function has_ex(v: word): boolean; begin return v % 2 = 1; end;
function has_hp(v: word): boolean; begin return (v / 2) % 2 = 1; end;
function with_hp(v: word): word;
begin
  if has_hp(v) then return v; else return v + 2; end;
end;
procedure go(l: lane; p: place); begin at[l] := p; seen[l] := NONE; end;
procedure go_seeing(l: lane; p: place; v: word); begin at[l] := p; seen[l] := v; end;
-- behind the release
procedure leave(l: lane);
begin
  left[l] := left[l] - 1;
  if left[l] = 0 then go(l, DONE); else go(l, TRY); end;
end;
function is_guest(l: lane): boolean; begin return l > 1 & l < 2 + GUESTS; end;

startstate begin
  w := 0; over := false;
  for l: lane do at[l] := START; seen[l] := NONE; left[l] := TRIES; end;
end;

ruleset l: lane do
  rule "start" at[l] = START ==> begin go(l, TRY); end;

  rule "try shared" at[l] = TRY & l != 1 & !is_guest(l) ==>
    var old: word;
  begin
    old := w;
    w := w + 4;
    if has_ex(old) then go_seeing(l, ASK, old);
    elsif has_hp(old) then go_seeing(l, UNSET, old);
    elsif l = 0 then go(l, PROMOTE);
    else go(l, DROP_SHARE); end;
  end;

  rule "clear the request" at[l] = UNSET ==> begin
    if has_hp(w) then w := w - 2; end;
    if l = 0 then go(l, PROMOTE); else go(l, DROP_SHARE); end;
  end;

  rule "try exclusive" at[l] = TRY & (l = 1 | is_guest(l)) ==> begin
    if w = 0 then w := 1; go(l, LOOK);
    elsif is_guest(l) then leave(l);
    elsif w = 2 then go_seeing(l, AGAIN, w);
    else go_seeing(l, ASK, w); end;
  end;

  rule "second try" at[l] = AGAIN ==> begin
    if w = 2 then w := 1; go(l, LOOK); else go(l, PAUSE); end;
  end;

  rule "set the request" at[l] = ASK ==> begin
    w := with_hp(w);
    if l = 1 then go(l, PAUSE); else leave(l); end;
  end;

  rule "pause" at[l] = PAUSE ==> begin go(l, TRY); end;

  rule "promote" at[l] = PROMOTE ==> begin
    assert !has_ex(w) & w != 0;
    if w = 4 then w := 1; go(l, LOOK);
    elsif w = 6 then go_seeing(l, PROMOTE_AGAIN, w);
    else go_seeing(l, PROMOTE_ASK, w); end;
  end;

  rule "second promotion" at[l] = PROMOTE_AGAIN ==> begin
    assert !has_ex(w) & w != 0;
    if w = 6 then w := 1; go(l, LOOK); else go(l, DROP_SHARE); end;
  end;

  rule "set the request, promoting" at[l] = PROMOTE_ASK ==> begin
    w := with_hp(w); go(l, DROP_SHARE);
  end;

  rule "release a share" at[l] = DROP_SHARE ==> begin
    assert !has_ex(w) & w >= 4;
    w := w - 4; leave(l);
  end;

  rule "look before the exclusive release" at[l] = LOOK ==> begin
    assert has_ex(w);
    go_seeing(l, DROP, w);
  end;

  rule "release" at[l] = DROP ==> begin
    if has_hp(w) then w := 2; else w := 0; end;
    leave(l);
  end;
end;

rule "end" !over & (forall l: lane do at[l] = DONE end) ==> begin
  assert w = 0 | w = 2;
  over := true;
end;
