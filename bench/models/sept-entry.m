-- SPDX-License-Identifier: MIT
-- S-EPT entry, as published. Each lane has TRIES turns: lane 0 is a guest that commits, lane 1 a host that
-- tries until granted, GUESTS more are guests that try once. One rule is one atomic operation. Of the
-- entry there are the lock bit and host priority only; "seen" and "seen2" are what the lane has read in
-- the operation that it is in, "copy" what a holder read after it locked the entry.
const
  GUESTS: 1;
  TRIES: 2;
  -- 1: a host that was refused leaves no host priority on a free entry, which is not so (F4)
  NO_STALE_HP: 0;
type
  lane: 0 .. 1 + GUESTS;
  bits: record tdel: boolean; hp: boolean; end;
  reading: record there: boolean; v: bits; end;
  place: enum { START, TRY, ASK, UNSET, CHECK, BACK_OFF, PAUSE, COPY, COMMIT, LOOK, DROP, DONE };
var
  e: bits;
  at: array [lane] of place;
  seen: array [lane] of reading;
  seen2: array [lane] of reading;
  copy: array [lane] of reading;
  left: array [lane] of 0 .. TRIES;
  over: boolean;

procedure forget(var r: reading);
begin r.there := false; r.v.tdel := false; r.v.hp := false; end;
procedure remember(var r: reading);
begin r.there := true; r.v := e; end;
procedure go(l: lane; p: place);
begin at[l] := p; forget(seen[l]); forget(seen2[l]); end;
procedure leave(l: lane);
begin
  forget(copy[l]);
  left[l] := left[l] - 1;
  if left[l] = 0 then go(l, DONE); else go(l, TRY); end;
end;

startstate begin
  e.tdel := false; e.hp := false; over := false;
  for l: lane do go(l, START); forget(copy[l]); left[l] := TRIES; end;
end;

ruleset l: lane do
  rule "start" at[l] = START ==> begin go(l, TRY); end;

  rule "test and set" at[l] = TRY ==> begin
    remember(seen[l]);
    e.tdel := true;
    if l = 1 then
      if seen[l].v.tdel then at[l] := ASK; else at[l] := UNSET; end;
    elsif seen[l].v.tdel then leave(l);
    else at[l] := CHECK; end;
  end;

  rule "set the request" at[l] = ASK ==> begin
    e.hp := true;
    assert NO_STALE_HP = 0 | e.tdel;
    go(l, PAUSE);
  end;
  rule "pause" at[l] = PAUSE ==> begin go(l, TRY); end;
  rule "clear the request" at[l] = UNSET ==> begin e.hp := false; go(l, COPY); end;

  rule "look for a request" at[l] = CHECK ==> begin
    if e.hp then remember(seen2[l]); at[l] := BACK_OFF; else go(l, COPY); end;
  end;
  rule "back off" at[l] = BACK_OFF ==> begin e.tdel := false; leave(l); end;

  rule "read the entry" at[l] = COPY ==> begin
    assert e.tdel;
    remember(copy[l]);
    if l = 0 then go(l, COMMIT); else go(l, LOOK); end;
  end;

  rule "commit" at[l] = COMMIT ==> begin
    e.hp := copy[l].v.hp; e.tdel := true; go(l, LOOK);
  end;

  rule "look before the release" at[l] = LOOK ==> begin
    assert e.tdel;
    remember(seen[l]); at[l] := DROP;
  end;
  rule "release" at[l] = DROP ==> begin e.tdel := false; leave(l); end;
end;

rule "end" !over & (forall l: lane do at[l] = DONE end) ==> begin
  assert !e.tdel;
  over := true;
end;
