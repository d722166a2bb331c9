// SPDX-License-Identifier: MIT
/* The sequence diagram. Layer: report. */
#include "report/diagram.h"

#include <stdlib.h>
#include <string.h>

#include "module/sept.h"
#include "report/explain.h"
#include "report/markup.h"
#include "diagram_css.h"

#define LEFT   66 /* numbers of steps, and the loop's bracket */
#define LOOP_X 54
/* Within a column. */
#define BAR_X     6
#define BAR_WIDTH 9
#define TEXT_X    32
#define STATE_X   8
#define STATE_W   14
#define VALUE_X   30
/* Of the monospaced type, by size 12 and 11; a little wide, so that nothing overlaps. */
#define CHAR_12 7.3
#define CHAR_11 6.7
#define MARGIN  12

bool diagram_open(struct diagram *d, const struct story *s, bool source)
{
	u32 n = 0;

	*d = (struct diagram){ .story = s, .source = source };
	d->column = calloc(s->objects + 1u, sizeof(*d->column));
	if (!d->column)
		return false;
	for (u32 i = 0; i < s->objects; i++)
		d->column[i] = s->object[i].column ? s->lanes + n++ : STORY_NONE;
	d->lane_width = s->lanes <= 2 ? 300 : s->lanes <= 4 ? 240 : 200;
	d->object_width = 168;
	d->source_width = source ? 380 : 0;
	return true;
}

void diagram_close(struct diagram *d)
{
	free(d->column);
	d->column = NULL;
}

u32 diagram_width(const struct diagram *d)
{
	return LEFT + d->story->lanes * d->lane_width + d->story->columns * d->object_width +
	       d->source_width + MARGIN;
}

static u32 column_x(const struct diagram *d, u32 column)
{
	u32 lanes = d->story->lanes;

	if (column < lanes)
		return LEFT + column * d->lane_width;
	return LEFT + lanes * d->lane_width + (column - lanes) * d->object_width;
}

/* Object in @column. */
static u32 object_in(const struct diagram *d, u32 column)
{
	for (u32 i = 0; i < d->story->objects; i++)
		if (d->column[i] == column)
			return i;
	return STORY_NONE;
}

/* As much of @text as @width has room for, the end cut off visibly. */
static void put_cut(FILE *f, const char *text, double width, double letter)
{
	size_t n = 0, room = width > letter ? (size_t)(width / letter) : 1, letters = 0;
	char *copy = strdup(text);

	if (!copy)
		return;
	for (size_t i = 0; text[i]; i++)
		letters += (text[i] & 0xC0) != 0x80;
	if (letters > room) {
		letters = 0;
		while (letters < room || (copy[n] & 0xC0) == 0x80)
			letters += (copy[n++] & 0xC0) != 0x80;
		/* One letter less, for the dots. */
		while (n && (copy[--n] & 0xC0) == 0x80)
			;
		copy[n] = '\0';
		markup_escape(f, copy);
		fputs("\xE2\x80\xA6", f);
	} else {
		markup_escape(f, copy);
	}
	free(copy);
}

static double text_width(const char *text, double letter)
{
	double n = 0;

	for (; *text; text++)
		n += (*text & 0xC0) != 0x80;
	return n * letter;
}

/* ---- head and legend ------------------------------------------------------------------------- */

/* An object's name on two lines. */
static void object_head(FILE *f, u32 x, u32 column, const char *name, double width)
{
	size_t n = strlen(name), at = 0;

	if (text_width(name, CHAR_11) > width || n > 14)
		for (size_t i = 0; i < n; i++)
			if (name[i] == ' ' &&
			    (!at || labs((long)i * 2 - (long)n) < labs((long)at * 2 - (long)n)))
				at = i;
	fprintf(f, "<g class=\"k%u\"><text class=\"ho\" x=\"%u\" y=\"%u\">", column, x,
		at ? 22u : 36u);
	if (at) {
		char first[128];

		snprintf(first, sizeof(first), "%.*s", (int)at, name);
		put_cut(f, first, width, CHAR_11);
		fprintf(f, "</text><text class=\"ho\" x=\"%u\" y=\"36\">", x);
		put_cut(f, name + at + 1, width, CHAR_11);
	} else {
		put_cut(f, name, width, CHAR_11);
	}
	fputs("</text></g>\n", f);
}

void diagram_head(FILE *f, const struct diagram *d)
{
	const struct story *s = d->story;
	u32 width = diagram_width(d);

	fprintf(f, "<rect class=\"bg\" width=\"%u\" height=\"%u\"/>\n", width, DIAGRAM_HEAD);
	fputs("<text class=\"n\" x=\"46\" y=\"36\">step</text>\n", f);
	for (u32 i = 0; i < s->lanes; i++)
		fprintf(f, "<text class=\"h k%u\" x=\"%u\" y=\"36\">%s</text>\n", i,
			column_x(d, i) + BAR_X, story_lane(s, i));
	for (u32 i = 0; i < s->columns; i++)
		object_head(f, column_x(d, s->lanes + i) + STATE_X, s->lanes + i,
			    s->object[object_in(d, s->lanes + i)].name, d->object_width - STATE_X);
	if (d->source)
		fprintf(f, "<text class=\"ho src\" x=\"%u\" y=\"36\">line, function</text>\n",
			width - d->source_width);
	fprintf(f, "<line class=\"rule\" x1=\"0\" x2=\"%u\" y1=\"%u\" y2=\"%u\"/>\n", width,
		DIAGRAM_HEAD - 3, DIAGRAM_HEAD - 3);
}

/* The class of an object's state, apart from lock and priority. */
static const char *state_class(const struct story_object *o, u64 value)
{
	const char *name;
	bool exclusive, held = story_is_held(o, value, &exclusive);

	switch (o->word) {
	case XWORD_ENTRY:
		name = sept_state_name(sept_state(value));
		if (strstr(name, "BLOCKED"))
			return "s-BLOCKED";
		if (!strncmp(name, "PENDING", 7))
			return "s-PENDING";
		if (!strncmp(name, "NL", 2))
			return "s-NL";
		return strcmp(name, "FREE") && strcmp(name, "REMOVED") ? "s-MAPPED" : "s-FREE";
	case XWORD_EPOCH:
	case XWORD_REFCOUNT:
	case XWORD_NUMBER:
		return "s-num";
	default:
		return exclusive ? "s-ex" : held ? "s-sh" : "s-free";
	}
}

/* Has @value of @o the colour @class in it? */
static bool has_class(const struct story_object *o, u64 value, const char *class)
{
	bool exclusive;

	story_is_held(o, value, &exclusive);
	if (!strcmp(class, "s-hp"))
		return story_has_priority(o, value);
	if (!strcmp(class, "s-ex"))
		return exclusive;
	return !strcmp(state_class(o, value), class) ||
	       (!strcmp(class, "s-free") && !strcmp(state_class(o, value), "s-FREE"));
}

static bool is_used(const struct story *s, const char *class)
{
	for (u32 i = 0; i < s->objects; i++)
		if (s->object[i].column && has_class(&s->object[i], s->object[i].first, class))
			return true;
	for (u32 i = 0; i < s->events; i++) {
		u32 object = s->event[i].object;

		if (object != STORY_NONE && s->object[object].column &&
		    has_class(&s->object[object], s->event[i].row->after, class))
			return true;
	}
	return false;
}

/* What is in the picture. */
void diagram_legend(FILE *f, const struct diagram *d)
{
	static const struct {
		const char *class, *text;
	} key[] = {
		{ "s-free", "free" },
		{ "s-sh", "shared: SH n" },
		{ "s-ex", "exclusive: EX, +lock" },
		{ "s-hp", "HOST_PRIORITY: +HP" },
		{ "s-PENDING", "PENDING" },
		{ "s-MAPPED", "MAPPED" },
		{ "s-BLOCKED", "BLOCKED" },
		{ "s-NL", "table" },
	};
	u32 x = LEFT;

	fprintf(f,
		"<g class=\"write\"><circle class=\"dot\" cx=\"%u\" cy=\"21\" r=\"3.5\"/></g>"
		"<text class=\"key\" x=\"%u\" y=\"25\">changes</text>"
		"<circle class=\"dot\" cx=\"%u\" cy=\"21\" r=\"3\"/>"
		"<text class=\"key\" x=\"%u\" y=\"25\">looks</text>\n",
		x + 6, x + 16, x + 84, x + 94);
	x += 148;
	for (u32 i = 0; i < ARRAY_SIZE(key); i++) {
		if (!is_used(d->story, key[i].class))
			continue;
		fprintf(f,
			"<rect class=\"%s\" x=\"%u\" y=\"15\" width=\"12\" height=\"12\"/>"
			"<text class=\"key\" x=\"%u\" y=\"25\">%s</text>\n",
			key[i].class, x, x + 18, key[i].text);
		x += 36 + (u32)text_width(key[i].text, CHAR_11);
	}
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* What rows need to know of the events in front of them. */
struct drawing {
	const struct diagram *d;
	u64 *value;                                /* of each object, in front of the row */
	u32 in[XP_FIBERS_MAX][EXPLORE_CALLS_DEEP]; /* calls that lanes are in */
	u32 depth[XP_FIBERS_MAX];
};

static void advance(struct drawing *w, const struct story_event *e)
{
	if (e->kind == STORY_BEGIN)
		w->in[e->lane][w->depth[e->lane]++] = e->call;
	else if (e->kind == STORY_END)
		w->depth[e->lane]--;
	else if (e->kind == STORY_ACCESS)
		w->value[e->object] = e->row->after;
}

static void hover(FILE *f, const struct drawing *w, const struct story_event *e)
{
	const struct story *s = w->d->story;
	char line[256], before[96], after[96];

	story_line(s, e, "\xE2\x86\x92", line, sizeof(line));
	fprintf(f, "<title>step %u, %s", e->step, story_lane(s, e->lane));
	if (e->call != STORY_NONE && e->kind != STORY_BEGIN) {
		fputs(", in ", f);
		markup_escape(f, s->call[e->call].name);
	}
	fputc('\n', f);
	if (e->kind == STORY_ACCESS) {
		const struct story_object *o = &s->object[e->object];

		markup_escape(f, o->name);
		fprintf(f, "\n%s 0x%llx \xE2\x86\x92 0x%llx\n",
			explore_access_name(e->row->op, e->row->when),
			(unsigned long long)e->row->before, (unsigned long long)e->row->after);
		fprintf(f, "%s \xE2\x86\x92 %s", story_state(o, e->row->before, before),
			story_state(o, e->row->after, after));
	} else {
		markup_escape(f, line);
	}
	for (u32 i = 0; w->d->source && i < e->where.frames; i++) {
		const struct source_frame *p = &e->where.frame[i];

		fprintf(f, "\n%s ", i ? "from" : "in");
		markup_escape(f, p->function);
		if (p->file[0]) {
			fputs(", ", f);
			markup_escape(f, p->file);
			fprintf(f, ":%u", p->line);
		}
	}
	fputs("</title>", f);
}

static void draw_bars(FILE *f, const struct drawing *w, const struct story_event *e)
{
	static const char *const class[] = { [STORY_FINE] = "",
					     [STORY_BUSY] = " c-busy",
					     [STORY_ERROR] = " c-error",
					     [STORY_OPEN] = "" };
	const struct story *s = w->d->story;

	for (u32 lane = 0; lane < s->lanes; lane++) {
		u32 x = column_x(w->d, lane) + BAR_X + 4;

		fprintf(f, "<path class=\"life k%u\" d=\"M%u 0V%u\"/>", lane, x, DIAGRAM_ROW);
		for (u32 i = 0; i < w->depth[lane]; i++) {
			const struct story_call *c = &s->call[w->in[lane][i]];
			bool top = e == &s->event[c->begin];
			bool end = c->end != STORY_NONE && e == &s->event[c->end];
			u32 from = top ? 3 : 0, to = end ? DIAGRAM_ROW - 3 : DIAGRAM_ROW;

			x = column_x(w->d, lane) + BAR_X + i * 6;
			fprintf(f,
				"<rect class=\"c%s k%u\" x=\"%u\" y=\"%u\" width=\"%u\" "
				"height=\"%u\"/><path class=\"e%s k%u\" d=\"M%u %uV%u",
				class[c->tone], lane, x, from, BAR_WIDTH, to - from, class[c->tone],
				lane, x, to, from);
			/* No line across where it goes on. */
			if (top)
				fprintf(f, "H%uV%u", x + BAR_WIDTH, to);
			else
				fprintf(f, "M%u %uV%u", x + BAR_WIDTH, from, to);
			if (end)
				fprintf(f, "H%u", x);
			fputs("\"/>", f);
		}
	}
}

static void draw_states(FILE *f, const struct drawing *w, const struct story_event *e)
{
	const struct diagram *d = w->d;

	for (u32 i = 0; i < d->story->objects; i++) {
		const struct story_object *o = &d->story->object[i];
		u32 x, column = d->column[i];
		u64 value = w->value[i];
		bool exclusive;

		if (column == STORY_NONE)
			continue;
		if (e->object == i)
			value = e->row->after;
		x = column_x(d, column) + STATE_X;
		story_is_held(o, value, &exclusive);
		fprintf(f,
			"<rect class=\"%s k%u\" x=\"%u\" y=\"-.2\" width=\"%u\" height=\"%u.4\"/>",
			state_class(o, value), column, x, STATE_W, DIAGRAM_ROW);
		if (exclusive && (o->word == XWORD_ENTRY || o->word == XWORD_BARE_ENTRY))
			fprintf(f,
				"<rect class=\"s-lock k%u\" x=\"%u\" y=\"-.2\" width=\"4\" "
				"height=\"%u.4\"/>",
				column, x, DIAGRAM_ROW);
		if (story_has_priority(o, value))
			fprintf(f,
				"<rect class=\"s-hp k%u\" x=\"%u\" y=\"-.2\" width=\"5\" "
				"height=\"%u.4\"/>",
				column, x + STATE_W - 5, DIAGRAM_ROW);
	}
}

static void draw_loop(FILE *f, const struct drawing *w, u32 index)
{
	const struct story *s = w->d->story;

	if (s->loop == STORY_NONE || index < s->loop)
		return;
	if (index == s->loop)
		fprintf(f, "<path class=\"lp\" d=\"M%u 3H%uV%u\"/>", LOOP_X + 6, LOOP_X,
			DIAGRAM_ROW);
	else if (index + 1 == s->events)
		fprintf(f, "<path class=\"lp\" d=\"M%u %uH%uV0\"/>", LOOP_X + 6, DIAGRAM_ROW - 3,
			LOOP_X);
	else
		fprintf(f, "<path class=\"lp\" d=\"M%u 0V%u\"/>", LOOP_X, DIAGRAM_ROW);
	if (index == (s->loop + s->events) / 2)
		fprintf(f, "<text class=\"lpt\" transform=\"translate(16,5) rotate(-90)\" "
			   "text-anchor=\"middle\">loop</text>");
}

static void draw_text(FILE *f, const struct drawing *w, const struct story_event *e)
{
	static const char *const tone[] = { [STORY_FINE] = "fine",
					    [STORY_BUSY] = "busy",
					    [STORY_ERROR] = "error",
					    [STORY_OPEN] = "" };
	const struct diagram *d = w->d;
	const struct story *s = d->story;
	u32 x = column_x(d, e->lane) + TEXT_X;
	double room = d->lane_width - TEXT_X;
	const char *class = "";
	char line[256];

	story_line(s, e, "\xE2\x86\x92", line, sizeof(line));
	if (e->kind == STORY_STEP)
		class = "q";
	else if (e->kind == STORY_BEGIN)
		class = "g";
	else if (e->kind == STORY_END)
		class = tone[s->call[e->call].tone];
	else if (!s->object[e->object].column)
		class = "u";
	fprintf(f, "<text class=\"%s k%u\" x=\"%u\" y=\"14\">", class, e->lane, x);
	put_cut(f, line, room, CHAR_12);
	fputs("</text>", f);
	if (d->source && e->where.frames) {
		const struct source_frame *p = &e->where.frame[0];
		const char *slash = strrchr(p->file, '/');
		char place[256];

		if (p->file[0])
			snprintf(place, sizeof(place), "%s:%u  %s", slash ? slash + 1 : p->file,
				 p->line, p->function);
		else
			snprintf(place, sizeof(place), "%s", p->function);
		fprintf(f, "<text class=\"w src\" x=\"%u\" y=\"14\">",
			diagram_width(d) - d->source_width);
		put_cut(f, place, d->source_width, CHAR_11);
		fputs("</text>", f);
	}
}

/* From the lane to the object that it touches. */
static void draw_line(FILE *f, const struct drawing *w, const struct story_event *e)
{
	const struct diagram *d = w->d;
	const struct story *s = d->story;
	u32 column = e->object == STORY_NONE ? STORY_NONE : d->column[e->object], x;
	char line[256], text[96];
	double from;

	if (column == STORY_NONE)
		return;
	story_line(s, e, ">", line, sizeof(line));
	from = column_x(d, e->lane) + TEXT_X + text_width(line, CHAR_12) + 4;
	x = column_x(d, column) + STATE_X;
	if (from > column_x(d, e->lane) + d->lane_width)
		from = column_x(d, e->lane) + d->lane_width;
	fprintf(f,
		"<line class=\"line k%u k%u\" x1=\"%.0f\" x2=\"%u\" y1=\"10\" y2=\"10\"/>"
		"<circle class=\"dot k%u\" cx=\"%u\" cy=\"10\" r=\"%s\"/>",
		e->lane, column, from, x, column, x + STATE_W / 2,
		e->row->before == e->row->after ? "3" : "3.5");
	if (e->row->before == e->row->after)
		return;
	fprintf(f, "<text class=\"v k%u\" x=\"%u\" y=\"14\">", column,
		column_x(d, column) + VALUE_X);
	put_cut(f, story_state(&s->object[e->object], e->row->after, text),
		d->object_width - VALUE_X, CHAR_11);
	fputs("</text>", f);
}

static void draw_row(FILE *f, struct drawing *w, u32 index, u32 y)
{
	const struct story *s = w->d->story;
	const struct story_event *e = &s->event[index];
	bool first = !index || e[-1].step != e->step,
	     changes = e->kind == STORY_ACCESS && e->row->before != e->row->after;
	u32 column = e->object == STORY_NONE ? STORY_NONE : w->d->column[e->object];

	if (e->kind == STORY_BEGIN)
		advance(w, e);
	fprintf(f, "<g class=\"r%s%s\" data-i=\"%u\" data-k=\"%u", e->step % 2 ? " odd" : "",
		changes ? " write" : "", index, e->lane);
	if (column != STORY_NONE)
		fprintf(f, " %u", column);
	fprintf(f, "\" transform=\"translate(0,%u)\">", y);
	hover(f, w, e);
	fprintf(f, "<rect class=\"z\" width=\"%u\" height=\"%u\"/>", diagram_width(w->d),
		DIAGRAM_ROW);
	if (first)
		fprintf(f, "<text class=\"n\" x=\"46\" y=\"14\">%u</text>", e->step);
	draw_loop(f, w, index);
	draw_bars(f, w, e);
	draw_states(f, w, e);
	draw_line(f, w, e);
	draw_text(f, w, e);
	fputs("</g>\n", f);
	if (e->kind != STORY_BEGIN)
		advance(w, e);
}

void diagram_rows(FILE *f, const struct diagram *d, u32 from, u32 to)
{
	const struct story *s = d->story;
	struct drawing w = { .d = d, .value = calloc(s->objects + 1u, sizeof(*w.value)) };

	/* Whoever closes the stream finds out. */
	if (!w.value)
		return;
	for (u32 i = 0; i < s->objects; i++)
		w.value[i] = s->object[i].first;
	for (u32 i = 0; i < from; i++)
		advance(&w, &s->event[i]);
	for (u32 i = from; i < to; i++)
		draw_row(f, &w, i, (i - from) * DIAGRAM_ROW);
	free(w.value);
}

/* ---- a file ---------------------------------------------------------------------------------- */

#define TITLE_HEIGHT 62
#define LINE_HEIGHT  18

/* @text on lines of @width; with @f NULL only counted. */
static u32 put_lines(FILE *f, const char *text, u32 width, u32 y)
{
	size_t room = (size_t)((width - 2 * MARGIN) / 6.6);
	u32 lines = 0;

	while (*text) {
		size_t n = strlen(text);

		if (n > room)
			for (n = room; n > room / 2 && text[n] != ' ';)
				n--;
		if (f) {
			char *copy = strndup(text, n);

			fprintf(f, "<text class=\"sub bad\" x=\"%u\" y=\"%u\">", MARGIN,
				y + lines * LINE_HEIGHT);
			markup_escape(f, copy ? copy : "");
			fputs("</text>\n", f);
			free(copy);
		}
		lines++;
		text += n;
		text += strspn(text, " ");
	}
	return lines;
}

static void put_svg(FILE *f, const struct diagram *d)
{
	const struct story *s = d->story;
	const struct trace *t = &s->replay->trace;
	u32 width = diagram_width(d), rows = s->events * DIAGRAM_ROW, height, lines;
	char finding[400], text[640], verdict[64];

	story_verdict(s, verdict, sizeof(verdict));
	snprintf(finding, sizeof(finding), "%s: %s", t->id, t->text);
	lines = put_lines(NULL, finding, width, 0);
	height = TITLE_HEIGHT + lines * LINE_HEIGHT + DIAGRAM_HEAD + rows + DIAGRAM_LEGEND;
	fprintf(f,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" "
		"viewBox=\"0 0 %u %u\">\n<style>\n%s</style>\n"
		"<rect class=\"bg\" width=\"%u\" height=\"%u\"/>\n",
		width, height, width, height, diagram_css, width, height);
	fprintf(f, "<text class=\"t\" x=\"%u\" y=\"28\">", MARGIN);
	put_cut(f, s->replay->scenario->title, width - 2 * MARGIN, 8.6);
	fprintf(f, "</text>\n<text class=\"sub\" x=\"%u\" y=\"50\">violated(%s) \xC2\xB7 ", MARGIN,
		verdict);
	story_setting(s, text, sizeof(text));
	markup_escape(f, text);
	fputs("</text>\n", f);
	put_lines(f, finding, width, TITLE_HEIGHT + 6);
	height = TITLE_HEIGHT + lines * LINE_HEIGHT;
	fprintf(f, "<g transform=\"translate(0,%u)\">\n", height);
	diagram_head(f, d);
	fprintf(f, "</g>\n<g transform=\"translate(0,%u)\">\n", height + DIAGRAM_HEAD);
	diagram_rows(f, d, 0, s->events);
	fprintf(f, "</g>\n<g transform=\"translate(0,%u)\">\n", height + DIAGRAM_HEAD + rows);
	diagram_legend(f, d);
	fputs("</g>\n</svg>\n", f);
}

char *diagram_svg(const struct story *s, bool source)
{
	struct diagram d;
	char *text = NULL;
	size_t size;
	FILE *f;

	if (!diagram_open(&d, s, source))
		return NULL;
	f = open_memstream(&text, &size);
	if (f)
		put_svg(f, &d);
	diagram_close(&d);
	return f ? text_finish(f, &text) : NULL;
}
