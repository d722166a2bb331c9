// SPDX-License-Identifier: MIT
/*
 * A story in the JSON trace format of Chrome, which Perfetto reads: one step is one microsecond.
 * Layer: report.
 */
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "report/story_report.h"

enum {
	PID_CPUS = 1,
	PID_OBJECTS = 2,
};

struct out {
	json_t *list;
	const struct story *story;
};

static json_t *put(struct out *o, const char *phase, const char *name, int pid, u32 tid, double ts)
{
	json_t *e = json_pack("{s:s, s:s, s:i, s:i, s:f}", "ph", phase, "name", name, "pid", pid,
			      "tid", (int)tid, "ts", ts);

	json_array_append_new(o->list, e);
	return e;
}

static void put_name(struct out *o, const char *what, int pid, u32 tid, const char *name)
{
	json_object_set_new(put(o, "M", what, pid, tid, 0), "args",
			    json_pack("{s:s}", "name", name));
}

/*
 * Where in time event @i stands: events of one step share its microsecond. In whole nanoseconds, so that
 * a slice's end is the next one's start however many digits a reader takes.
 */
static double time_of(const struct story *s, u32 i)
{
	u32 first = i, last = i, step;

	if (i >= s->events)
		return s->events ? s->event[s->events - 1].step : 0;
	step = s->event[i].step;
	while (first && s->event[first - 1].step == step)
		first--;
	while (last < s->events && s->event[last].step == step)
		last++;
	return step - 1 + (double)((i - first) * 1000 / (last - first)) / 1000;
}

static json_t *access_args(const struct story *s, const struct story_event *e)
{
	json_t *args = json_object();
	char text[96];

	json_object_set_new(args, "step", json_integer(e->step));
	json_object_set_new(args, "object", json_string(s->object[e->object].name));
	json_object_set_new(args, "before",
			    json_string(story_state(&s->object[e->object], e->row->before, text)));
	json_object_set_new(args, "after",
			    json_string(story_state(&s->object[e->object], e->row->after, text)));
	if (e->where.frames) {
		const struct source_frame *p = &e->where.frame[0];
		char place[256];

		snprintf(place, sizeof(place), "%s %s:%u", p->function, p->file, p->line);
		json_object_set_new(args, "in", json_string(place));
	}
	return args;
}

/* What an object's track is busy with; false: with nothing. */
static bool hold(const struct story_object *o, u64 value, char text[96])
{
	bool exclusive;

	if (!story_is_held(o, value, &exclusive))
		return false;
	story_state(o, value, text);
	return true;
}

static void put_object(struct out *o, u32 object, u32 i, u32 *busy)
{
	const struct story_object *x = &o->story->object[object];
	const struct story_event *e = &o->story->event[i];
	double ts = time_of(o->story, i);
	bool hp = story_has_priority(x, e->row->after);
	char was[96], is[96];
	bool held = hold(x, e->row->before, was), holds = hold(x, e->row->after, is);
	json_t *j;

	if (held && busy[object]) {
		put(o, "E", was, PID_OBJECTS, object, ts);
		busy[object] = 0;
	}
	if (hp != story_has_priority(x, e->row->before)) {
		j = put(o, "i", hp ? "HP set" : "HP cleared", PID_OBJECTS, object, ts);
		json_object_set_new(j, "s", json_string("t"));
	}
	if (x->word == XWORD_EPOCH || x->word == XWORD_REFCOUNT) {
		j = put(o, "C", x->name, PID_OBJECTS, object, ts);
		json_object_set_new(j, "args",
				    json_pack("{s:I}", "value", (json_int_t)e->row->after));
	}
	if (holds) {
		j = put(o, "B", is, PID_OBJECTS, object, ts);
		json_object_set_new(j, "args",
				    json_pack("{s:s, s:i}", "lane", story_lane(o->story, e->lane),
					      "step", (int)e->step));
		busy[object] = 1;
	}
}

static void put_event(struct out *o, u32 i, u32 *busy_calls)
{
	const struct story *s = o->story;
	const struct story_event *e = &s->event[i];
	double ts = time_of(s, i), next = time_of(s, i + 1);
	const struct story_call *c = e->call == STORY_NONE ? NULL : &s->call[e->call];
	char line[256];
	json_t *j;

	story_line(s, e, "->", line, sizeof(line));
	switch (e->kind) {
	case STORY_BEGIN:
		j = put(o, "B", c->name, PID_CPUS, e->lane, ts);
		json_object_set_new(j, "args", json_pack("{s:i}", "step", (int)e->step));
		return;
	case STORY_END:
		j = put(o, "E", c->name, PID_CPUS, e->lane, ts);
		json_object_set_new(j, "args", json_pack("{s:s}", "status", c->status));
		if (c->tone != STORY_BUSY)
			return;
		j = put(o, "C", "BUSY so far", PID_CPUS, e->lane, ts);
		json_object_set_new(j, "args", json_pack("{s:i}", "calls", (int)++*busy_calls));
		return;
	case STORY_STEP:
	case STORY_ACCESS:
	default:
		if (i + 1 == s->events)
			next = e->step;
		/* To its step's end at most: others run then. */
		if (next > e->step)
			next = e->step;
		j = put(o, "X", line, PID_CPUS, e->lane, ts);
		json_object_set_new(j, "dur", json_real(next - ts));
		if (e->kind == STORY_ACCESS)
			json_object_set_new(j, "args", access_args(s, e));
	}
}

/* Calls and holds that the trace's end cuts off. */
static void close_all(struct out *o, const u32 *busy)
{
	const struct story *s = o->story;
	double end = time_of(s, s->events);
	char text[96];

	for (u32 i = s->calls; i--;)
		if (s->call[i].end == STORY_NONE)
			json_object_set_new(put(o, "E", s->call[i].name, PID_CPUS, s->call[i].lane,
						end),
					    "args", json_pack("{s:s}", "status", "has not ended"));
	for (u32 i = 0; i < s->objects; i++)
		if (busy[i] && hold(&s->object[i], story_value(s, i, s->events - 1), text))
			put(o, "E", text, PID_OBJECTS, i, end);
}

static void put_names(struct out *o)
{
	const struct story *s = o->story;

	put_name(o, "process_name", PID_CPUS, 0, "logical CPUs");
	put_name(o, "process_name", PID_OBJECTS, 0, "locks and entries");
	for (u32 i = 0; i < s->lanes; i++)
		put_name(o, "thread_name", PID_CPUS, i, story_lane(s, i));
	for (u32 i = 0; i < s->objects; i++)
		if (s->object[i].word != XWORD_NUMBER)
			put_name(o, "thread_name", PID_OBJECTS, i, s->object[i].name);
}

static json_t *other_data(const struct story *s)
{
	json_t *o = json_object();
	char setting[640];

	story_setting(s, setting, sizeof(setting));
	story_set_text(o, "program", sl_version());
	story_set_text(o, "title", s->replay->scenario->title);
	story_set_text(o, "scenario", s->replay->trace.scenario_path);
	story_set_text(o, "setting", setting);
	story_set_text(o, "finding", s->replay->trace.text);
	return o;
}

char *story_perfetto(const struct story *s)
{
	struct out o = { .list = json_array(), .story = s };
	u32 *busy = calloc(s->objects + 1u, sizeof(*busy)), busy_calls = 0;
	json_t *all = NULL;
	char *text = NULL;

	if (!busy || !o.list)
		goto out;
	put_names(&o);
	for (u32 i = 0; i < s->events; i++) {
		const struct story_event *e = &s->event[i];

		if (i == s->loop)
			json_object_set_new(put(&o, "i", "the loop begins", PID_CPUS, e->lane,
						time_of(s, i)),
					    "s", json_string("g"));
		put_event(&o, i, &busy_calls);
		if (e->kind == STORY_ACCESS && s->object[e->object].word != XWORD_NUMBER)
			put_object(&o, e->object, i, busy);
	}
	if (s->events)
		close_all(&o, busy);
	all = json_pack("{s:O, s:s, s:o}", "traceEvents", o.list, "displayTimeUnit", "ns",
			"otherData", other_data(s));
	text = all ? json_dumps(all, JSON_INDENT(1) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(10))
		   : NULL;
out:
	json_decref(all);
	json_decref(o.list);
	free(busy);
	return text;
}
