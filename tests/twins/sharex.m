-- SPDX-License-Identifier: MIT
-- Twin of sharex.yaml: two tries each to hold a plain sharex, exclusively by lane 0.
type
  lane: 0 .. 2;
  place: enum { START, TRY1, HELD1, TRY2, HELD2, DONE };
var
  ex: boolean;
  readers: 0 .. 15;
  at: array [lane] of place;
  over: boolean;

procedure next(l: lane; granted: boolean);
begin
  if at[l] = TRY1 then
    if granted then at[l] := HELD1; else at[l] := TRY2; end;
  elsif at[l] = HELD1 then
    at[l] := TRY2;
  elsif at[l] = TRY2 & granted then
    at[l] := HELD2;
  else
    at[l] := DONE;
  end;
end;

startstate begin
  ex := false; readers := 0; over := false;
  for l: lane do at[l] := START; end;
end;

ruleset l: lane do
  rule "start" at[l] = START ==> begin at[l] := TRY1; end;

  rule "try" at[l] = TRY1 | at[l] = TRY2 ==>
    var old: boolean;
  begin
    old := ex;
    if l = 0 then
      if !ex & readers = 0 then ex := true; next(l, true); else next(l, false); end;
    else
      readers := readers + 1;
      next(l, !old);
    end;
  end;

  rule "release" at[l] = HELD1 | at[l] = HELD2 ==> begin
    if l = 0 then
      assert ex; ex := false; readers := 0;
    else
      assert !ex & readers > 0; readers := readers - 1;
    end;
    next(l, true);
  end;
end;

rule "end" !over & (forall l: lane do at[l] = DONE end) ==> begin
  assert !ex & readers = 0;
  over := true;
end;
