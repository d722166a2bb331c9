/* SPDX-License-Identifier: MIT */
/*
 * A replay as a story to be drawn: one event after the other, the calls that they belong to, and the
 * objects that lanes meet on with their states. Layer: report.
 */
#ifndef SL_REPORT_STORY_H
#define SL_REPORT_STORY_H

#include <jansson.h>

#include "engine/explore/xworld.h"
#include "report/replay_report.h"
#include "report/source.h"

/* More objects than this make a picture that nobody takes in. */
#define STORY_COLUMNS_MAX 7
#define STORY_NONE        (~0u)

enum story_kind {
	STORY_STEP,   /* a step that touched nothing that lanes share: what it was about */
	STORY_ACCESS, /* to a word that lanes share */
	STORY_BEGIN,  /* of a call */
	STORY_END,
};

/* How a call went. */
enum story_tone {
	STORY_FINE,
	STORY_BUSY,
	STORY_ERROR,
	STORY_OPEN, /* it had not ended when the trace did */
};

struct story_object {
	char name[112];
	const char *called; /* by the replay: the name, but for a number behind it */
	enum xworld_word word;
	u64 at;
	u64 first;  /* its value in front of everything */
	u32 lanes;  /* that touch it, one bit each */
	u32 writes; /* that change it */
	bool column;
};

struct story_call {
	char name[96], status[160]; /* the status is empty for an open call */
	u64 status_value;
	u32 lane, depth;
	enum story_tone tone;
	u32 begin, end; /* events; STORY_NONE: still open */
};

struct story_event {
	enum story_kind kind;
	u32 step, lane;
	u32 object, call; /* or STORY_NONE; of an access, the innermost call it is in */
	const struct explore_row *row; /* of an access and of an end */
	const char *about;             /* of a step */
	struct source_place where;     /* of an access */
};

struct story {
	const struct sl_replay *replay;
	struct source *source;
	struct story_object *object;
	struct story_call *call;
	struct story_event *event;
	u32 objects, calls, events;
	u32 lanes;   /* with the end of the world, if it has a part in it */
	u32 columns; /* objects with a column */
	u32 loop;    /* event that begins the loop, or STORY_NONE */
};

/*
 * @about has a text for each step that was played. False without memory. @with_source: functions and
 * lines. Free with story_free().
 */
bool story_tell(struct story *s, const struct sl_replay *r, char *const *about, bool with_source);
void story_free(struct story *s);

/* A value as an engineer reads it: "free", "EX", "SH 2 +HP", "PENDING +lock". */
const char *story_state(const struct story_object *o, u64 value, char text[96]);
bool story_has_priority(const struct story_object *o, u64 value);
/* Is the object, a lock or an entry, held? *exclusive: not only by readers. */
bool story_is_held(const struct story_object *o, u64 value, bool *exclusive);
/* What happened, in one line without the object's name if it has a column: "cas free -> EX". */
void story_line(const struct story *s, const struct story_event *e, const char *arrow, char *text,
		size_t size);
/* The value of @object behind @event. */
u64 story_value(const struct story *s, u32 object, u32 event);
const char *story_lane(const struct story *s, u32 lane);
/* "module 1.5.01 published, policy kvm-6.19" */
void story_setting(const struct story *s, char *text, size_t size);
/* "certain livelock", "oracle" */
void story_verdict(const struct story *s, char *text, size_t size);
/* Sets a member; what a trace says of itself need not be UTF-8. */
void story_set_text(json_t *o, const char *key, const char *text);

#endif
