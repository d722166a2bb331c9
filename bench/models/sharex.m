-- SPDX-License-Identifier: MIT
-- Plain sharex: TRIES tries each to hold it, exclusively by lane 0, shared by READERS others.
const
  READERS: 2;
  TRIES: 2;
type
  lane: 0 .. READERS;
  place: enum { START, TRY, HELD, DONE };
var
  ex: boolean;
  readers: 0 .. 255;
  at: array [lane] of place;
  left: array [lane] of 0 .. TRIES;
  over: boolean;

procedure next(l: lane);
begin
  left[l] := left[l] - 1;
  if left[l] = 0 then at[l] := DONE; else at[l] := TRY; end;
end;

startstate begin
  ex := false; readers := 0; over := false;
  for l: lane do at[l] := START; left[l] := TRIES; end;
end;

ruleset l: lane do
  rule "start" at[l] = START ==> begin at[l] := TRY; end;

  rule "try" at[l] = TRY ==>
    var old: boolean;
  begin
    old := ex;
    if l = 0 then
      if !ex & readers = 0 then ex := true; at[l] := HELD; else next(l); end;
    else
      readers := readers + 1;
      if old then next(l); else at[l] := HELD; end;
    end;
  end;

  rule "release" at[l] = HELD ==> begin
    if l = 0 then
      assert ex; ex := false; readers := 0;
    else
      assert !ex & readers > 0; readers := readers - 1;
    end;
    next(l);
  end;
end;

rule "end" !over & (forall l: lane do at[l] = DONE end) ==> begin
  assert !ex & readers = 0;
  over := true;
end;
