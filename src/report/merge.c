// SPDX-License-Identifier: MIT
/* seamlab merge: shards of one set, joined to what one process would have found. Layer: report. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/shard.h"

struct part {
	const char *path;
	json_t *document;
	const json_t *head, *results;
	struct sl_check_options options;
	u32 of; /* scenarios in the set */
};

struct sl_merge {
	struct part *part; /* by shard, then */
	u32 parts;
	struct sl_check_options options;
	const char *set[SHARD_SETTINGS_MAX];
	struct sl_merged *item;
	struct sl_check **check; /* of the item, or NULL */
	u32 items;
};

/* ---- one document ---------------------------------------------------------------------------- */

#define EXPECTED "expected what seamlab check --shard K/N --format json has printed"

static int head_number(const struct part *p, const char *key, u32 *to)
{
	const json_t *v = json_object_get(p->head, key);

	*to = (u32)json_integer_value(v);
	return json_is_integer(v) && json_integer_value(v) >= 0 &&
			       json_integer_value(v) <= INT32_MAX
		       ? 0
		       : -EINVAL;
}

static int read_head(struct part *p, const char *set[SHARD_SETTINGS_MAX], struct sl_err *err)
{
	static const char *const texts[] = { "set", "version", "build" };
	struct sl_check_options *o = &p->options;
	struct sl_err inner;
	u32 format;

	p->head = json_object_get(p->document, SHARD_KEY);
	p->results = json_object_get(p->document, "results");
	if (!json_is_object(p->head) || !json_is_array(p->results))
		return sl_err_set(err, -EINVAL, "%s: found no shard; " EXPECTED, p->path);
	if (head_number(p, "format", &format) || format != SHARD_FORMAT)
		return sl_err_set(
			err, -EINVAL,
			"%s: found a shard of another format; expected format %d, as this "
			"version of seamlab writes it",
			p->path, SHARD_FORMAT);
	if (head_number(p, "k", &o->shard) || head_number(p, "n", &o->shards) ||
	    head_number(p, "of", &p->of) || !o->shard || o->shard > o->shards)
		return sl_err_set(err, -EINVAL, "%s: found bad numbers of the shard; " EXPECTED,
				  p->path);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!json_is_string(json_object_get(p->head, texts[i])))
			return sl_err_set(err, -EINVAL, "%s: found no '%s' of the shard; " EXPECTED,
					  p->path, texts[i]);
	if (shard_options(json_object_get(p->head, "options"), o, set, &inner))
		return sl_err_set(err, -EINVAL, "%s: %s; " EXPECTED, p->path, inner.text);
	if (json_array_size(p->results) != shard_size(o, p->of))
		return sl_err_set(err, -EINVAL,
				  "%s: found %zu results; expected %u, for shard %u/%u of %u "
				  "scenarios",
				  p->path, json_array_size(p->results), shard_size(o, p->of),
				  o->shard, o->shards, p->of);
	return 0;
}

static int read_part(struct part *p, const char *set[SHARD_SETTINGS_MAX], struct sl_err *err)
{
	json_error_t e;
	FILE *f = fopen(p->path, "r");

	if (!f)
		return sl_err_set(err, -errno, "%s: %s", p->path, strerror(errno));
	p->document = json_loadf(f, JSON_REJECT_DUPLICATES, &e);
	fclose(f);
	if (!p->document)
		return sl_err_set(err, -EINVAL, "%s:%d:%d: found %s; " EXPECTED, p->path, e.line,
				  e.column, e.text);
	return read_head(p, set, err);
}

/* ---- do they belong together? ---------------------------------------------------------------- */

static const char *head_text(const struct part *p, const char *key)
{
	return json_string_value(json_object_get(p->head, key));
}

/* "--seed" and the like: the first option that differs. */
static int options_differ(const struct part *a, const struct part *b, struct sl_err *err)
{
	json_t *x = json_object_get(a->head, "options"), *y = json_object_get(b->head, "options");
	const char *key;
	json_t *v;
	int rc = 0;

	json_object_foreach(x, key, v)
	{
		char *one, *other;

		if (rc || json_equal(v, json_object_get(y, key)))
			continue;
		one = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
		other = json_dumps(json_object_get(y, key), JSON_ENCODE_ANY | JSON_COMPACT);
		rc = sl_err_set(
			err, -EINVAL,
			"%s: found option '%s' %s; expected %s, as in %s: shards of one set have "
			"the same options",
			b->path, key, other ? other : "?", one ? one : "?", a->path);
		free(one);
		free(other);
	}
	return rc;
}

static int same_set(const struct part *a, const struct part *b, struct sl_err *err)
{
	if (strcmp(head_text(a, "version"), head_text(b, "version")) != 0 ||
	    strcmp(head_text(a, "build"), head_text(b, "build")) != 0)
		return sl_err_set(
			err, -EINVAL,
			"%s: found a shard by seamlab %s, build %s; expected version %s, build "
			"%s, as in %s",
			b->path, head_text(b, "version"), head_text(b, "build"),
			head_text(a, "version"), head_text(a, "build"), a->path);
	if (a->options.shards != b->options.shards)
		return sl_err_set(err, -EINVAL,
				  "%s: found one of %u shards; expected one of %u, as %s", b->path,
				  b->options.shards, a->options.shards, a->path);
	if (options_differ(a, b, err))
		return -EINVAL;
	if (a->of != b->of || strcmp(head_text(a, "set"), head_text(b, "set")) != 0)
		return sl_err_set(err, -EINVAL,
				  "%s: found a shard of another set of scenarios (%u of them, %s); "
				  "expected that of %s (%u, %s): the same names and contents",
				  b->path, b->of, head_text(b, "set"), a->path, a->of,
				  head_text(a, "set"));
	return 0;
}

/* Which of @n shards are not among the parts, which are sorted. */
static int name_missing(const struct sl_merge *m, u32 n, struct sl_err *err)
{
	char list[600];
	size_t at = 0;
	u32 next = 0;

	for (u32 k = 1; k <= n && at < sizeof(list) - 40; k++) {
		if (next < m->parts && m->part[next].options.shard == k)
			next++;
		else
			at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%u/%u",
					       at ? ", " : "", k, n);
	}
	if (at >= sizeof(list) - 40)
		snprintf(list + at, sizeof(list) - at, ", ...");
	return sl_err_set(err, -EINVAL, "found %u of %u shards; expected all of them: %s missing",
			  m->parts, n, list);
}

static int by_shard(const void *x, const void *y)
{
	u32 a = ((const struct part *)x)->options.shard,
	    b = ((const struct part *)y)->options.shard;

	return (a > b) - (a < b);
}

static int check_parts(struct sl_merge *m, struct sl_err *err)
{
	for (u32 i = 1; i < m->parts; i++)
		if (same_set(&m->part[0], &m->part[i], err))
			return -EINVAL;
	qsort(m->part, m->parts, sizeof(*m->part), by_shard);
	for (u32 i = 1; i < m->parts; i++)
		if (m->part[i].options.shard == m->part[i - 1].options.shard)
			return sl_err_set(
				err, -EINVAL,
				"%s: found shard %u/%u again, it is in %s too; expected each "
				"shard once",
				m->part[i].path, m->part[i].options.shard,
				m->part[i].options.shards, m->part[i - 1].path);
	if (m->parts != m->part[0].options.shards)
		return name_missing(m, m->part[0].options.shards, err);
	return 0;
}

/* ---- one scenario ---------------------------------------------------------------------------- */

/* What result @index of the part says. */
static int read_item(const struct sl_merge *m, const struct part *p, u32 index,
		     struct sl_merged *item, struct sl_check **check, struct sl_err *err)
{
	const json_t *result = json_array_get(p->results, index);
	struct sl_err inner;
	int rc = 0;

	*item = (struct sl_merged){ .path = json_string_value(json_object_get(result, "file")),
				    .error = json_string_value(json_object_get(result, "error")),
				    .skipped =
					    json_string_value(json_object_get(result, "skipped")) };
	*check = NULL;
	if (!item->path)
		rc = sl_err_set(&inner, -EINVAL, "found no 'file'");
	else if (!item->error && !item->skipped)
		rc = shard_check(result, &m->options, check, &inner);
	item->check = *check;
	item->left = item->skipped && !strcmp(item->skipped, SHARD_LEFT);
	return rc ? sl_err_set(err, rc, "%s: result %u: %s; " EXPECTED, p->path, index + 1,
			       inner.text)
		  : 0;
}

static void take_more(u32 *to, u32 from)
{
	if (from > *to)
		*to = from;
}

/* Runs of @before came in front of those of @c: what one process would have counted. */
static void add_runs(struct sl_check *c, const struct sl_check *before)
{
	struct xs_result *x = &c->result.search;
	const struct xs_result *b = &before->result.search;

	x->runs += b->runs;
	x->transitions += b->transitions;
	x->all_transitions += b->all_transitions;
	x->seconds += b->seconds;
	x->memory = b->memory > x->memory ? b->memory : x->memory;
	take_more(&x->depth, b->depth);
	take_more(&x->shared_words, b->shared_words);
	/* One that was cut short says so, unless there is a finding behind it. */
	if (b->limit != XS_LIMIT_RUNS && x->kind == XS_KIND_NONE)
		x->limit = b->limit;
	sl_stats_merge(c->result.stats, before->result.stats);
}

/*
 * Random runs: shard by shard, in the order of runs, up to the first finding; what is behind it one process would not
 * have come to.
 */
static int join_runs(const struct sl_merge *m, u32 index, struct sl_merged *item,
		     struct sl_check **check, struct sl_err *err)
{
	int rc = read_item(m, &m->part[0], index, item, check, err);

	for (u32 k = 1; !rc && k < m->parts && *check && !check_kind(*check); k++) {
		const char *text = (*check)->text;
		struct sl_check *before = *check;

		rc = read_item(m, &m->part[k], index, item, check, err);
		if (!rc && *check && strcmp(text, (*check)->text) != 0)
			rc = sl_err_set(
				err, -EINVAL,
				"%s: found %s with another text, or another policy, than in "
				"%s; expected the same",
				m->part[k].path, item->path, m->part[k - 1].path);
		if (!rc && *check)
			add_runs(*check, before);
		sl_check_free(before);
	}
	return rc;
}

static int join(struct sl_merge *m, struct sl_err *err)
{
	u32 n = m->parts;
	int rc = 0;

	m->items = m->part[0].of;
	m->item = calloc(m->items + 1u, sizeof(*m->item));
	m->check = calloc(m->items + 1u, sizeof(struct sl_check *));
	if (!m->item || !m->check)
		return sl_err_set(err, -ENOMEM, "out of memory");
	for (u32 i = 0; !rc && i < m->items; i++) {
		if (m->options.runs)
			rc = join_runs(m, i, &m->item[i], &m->check[i], err);
		else
			rc = read_item(m, &m->part[i % n], i / n, &m->item[i], &m->check[i], err);
	}
	return rc;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int merge(const struct sl_merge_options *o, struct sl_merge *m, struct sl_err *err)
{
	const char *scratch[SHARD_SETTINGS_MAX];
	int rc = 0;

	m->part = calloc(o->path_count + 1u, sizeof(*m->part));
	if (!m->part)
		return sl_err_set(err, -ENOMEM, "out of memory");
	if (!o->path_count)
		return sl_err_set(err, -EINVAL, "found no shard; expected all of a set");
	for (u32 i = 0; !rc && i < o->path_count; i++) {
		m->part[i].path = o->path[i];
		m->parts++;
		rc = read_part(&m->part[i], i ? scratch : m->set, err);
	}
	if (!rc) {
		/* They are those of an exploration without shards. */
		m->options = m->part[0].options;
		m->options.shard = m->options.shards = 0;
		m->options.style = o->style;
		rc = check_parts(m, err);
	}
	return rc ? rc : join(m, err);
}

int sl_merge_files(const struct sl_merge_options *o, struct sl_merge **out, char *err,
		   size_t err_size)
{
	struct sl_merge *m = calloc(1, sizeof(*m));
	struct sl_err e = { .text = "" };
	int rc = m ? merge(o, m, &e) : sl_err_set(&e, -ENOMEM, "out of memory");

	if (rc) {
		snprintf(err, err_size, "%s", e.text);
		sl_merge_free(m);
		return rc;
	}
	*out = m;
	return 0;
}

uint32_t sl_merge_count(const struct sl_merge *m)
{
	return m->items;
}

const struct sl_merged *sl_merge_at(const struct sl_merge *m, uint32_t index)
{
	return &m->item[index];
}

const struct sl_check_options *sl_merge_options(const struct sl_merge *m)
{
	return &m->options;
}

void sl_merge_free(struct sl_merge *m)
{
	if (!m)
		return;
	for (u32 i = 0; m->check && i < m->items; i++)
		sl_check_free(m->check[i]);
	for (u32 i = 0; i < m->parts; i++)
		json_decref(m->part[i].document);
	free(m->check);
	free(m->item);
	free(m->part);
	free(m);
}
