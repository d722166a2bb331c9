// SPDX-License-Identifier: MIT
/* The head of a shard's document: which part of which set, explored with what, by which build. Layer: report. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "engine/plugin.h"
#include "report/replay_report.h"
#include "report/shard.h"

/* The options that a verdict, or what is reported with it, depends on. */
enum option_type { OPTION_BOOL, OPTION_U32, OPTION_U64, OPTION_SIZE, OPTION_REAL, OPTION_TEXT };

#define OPTION(name, type, field)                                    \
	{                                                            \
		name, type, offsetof(struct sl_check_options, field) \
	}
static const struct option_field {
	const char *name;
	enum option_type type;
	size_t at;
} fields[] = {
	OPTION("policy", OPTION_TEXT, host.policy),
	OPTION("time", OPTION_REAL, seconds),
	OPTION("memory", OPTION_SIZE, memory),
	OPTION("depth", OPTION_U32, depth),
	OPTION("hash-seed", OPTION_U64, hash_seed),
	OPTION("no-reduction", OPTION_BOOL, no_reduction),
	OPTION("no-checkpoints", OPTION_BOOL, no_checkpoints),
	OPTION("no-memo", OPTION_BOOL, no_memo),
	OPTION("no-symmetry", OPTION_BOOL, no_symmetry),
	OPTION("audit", OPTION_BOOL, audit),
	OPTION("bounds", OPTION_BOOL, bounds),
	OPTION("cycle", OPTION_TEXT, cycle),
	OPTION("exact", OPTION_BOOL, exact),
	OPTION("memory-model", OPTION_TEXT, memory_model),
	OPTION("store-buffer", OPTION_U32, store_buffer),
	OPTION("bounded", OPTION_BOOL, bounded),
	OPTION("preemptions", OPTION_U32, preemptions),
	OPTION("random", OPTION_U32, runs),
	OPTION("seed", OPTION_U64, run_seed),
};

static json_t *hex(u64 v)
{
	return json_sprintf("0x%016" PRIx64, v);
}

static json_t *option_write(const struct option_field *f, const struct sl_check_options *o)
{
	const void *at = (const char *)o + f->at;
	const char *text;

	switch (f->type) {
	case OPTION_BOOL:
		return json_boolean(*(const bool *)at);
	case OPTION_U32:
		return json_integer(*(const u32 *)at);
	case OPTION_U64:
		return hex(*(const u64 *)at);
	case OPTION_SIZE:
		return hex(*(const size_t *)at);
	case OPTION_REAL:
		return json_real(*(const double *)at);
	case OPTION_TEXT:
	default:
		text = *(const char *const *)at;
		return text ? json_string(text) : json_null();
	}
}

static json_t *options_write(const struct sl_check_options *o)
{
	json_t *all = json_object(), *set = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		json_object_set_new(all, fields[i].name, option_write(&fields[i], o));
	for (u32 i = 0; i < o->host.set_count; i++)
		json_array_append_new(set, json_string(o->host.set[i]));
	json_object_set_new(all, "set", set);
	return all;
}

static bool hex_read(const json_t *v, u64 *value)
{
	const char *text = json_string_value(v);
	char *end;

	if (!text || strncmp(text, "0x", 2) != 0)
		return false;
	errno = 0;
	*value = strtoull(text, &end, 16);
	return !errno && !*end;
}

static bool option_read(const struct option_field *f, const json_t *v, struct sl_check_options *o)
{
	void *at = (char *)o + f->at;
	u64 number = 0;

	switch (f->type) {
	case OPTION_BOOL:
		*(bool *)at = json_is_true(v);
		return json_is_boolean(v);
	case OPTION_U32:
		*(u32 *)at = (u32)json_integer_value(v);
		return json_is_integer(v) && json_integer_value(v) >= 0 &&
		       json_integer_value(v) <= UINT32_MAX;
	case OPTION_U64:
	case OPTION_SIZE:
		if (!hex_read(v, &number))
			return false;
		if (f->type == OPTION_U64)
			*(u64 *)at = number;
		else
			*(size_t *)at = (size_t)number;
		return true;
	case OPTION_REAL:
		*(double *)at = json_real_value(v);
		return json_is_real(v);
	case OPTION_TEXT:
	default:
		*(const char **)at = json_string_value(v);
		return json_is_string(v) || json_is_null(v);
	}
}

int shard_options(const json_t *options, struct sl_check_options *o,
		  const char *set[SHARD_SETTINGS_MAX], struct sl_err *err)
{
	const json_t *list = json_object_get(options, "set");

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (!option_read(&fields[i], json_object_get(options, fields[i].name), o))
			return sl_err_set(err, -EINVAL, "found no option '%s', or a bad one",
					  fields[i].name);
	if (!json_is_array(list) || json_array_size(list) > SHARD_SETTINGS_MAX)
		return sl_err_set(err, -EINVAL, "found no settings, or too many");
	o->host.set = set;
	o->host.set_count = (u32)json_array_size(list);
	for (u32 i = 0; i < o->host.set_count; i++) {
		set[i] = json_string_value(json_array_get(list, i));
		if (!set[i])
			return sl_err_set(err, -EINVAL, "found a bad setting");
	}
	return 0;
}

/* ---- the set --------------------------------------------------------------------------------- */

static void hash_bytes(XXH3_state_t *state, const void *bytes, u64 size)
{
	XXH3_64bits_update(state, &size, sizeof(size));
	XXH3_64bits_update(state, bytes, size);
}

/* The name and what is in the file; what cannot be read is that wherever it is the same set. */
static void hash_scenario(XXH3_state_t *state, const char *path)
{
	struct sl_err err;
	char *text = NULL;
	size_t size = 0;

	hash_bytes(state, path, strlen(path));
	if (scenario_read_bytes(path, &text, &size, &err))
		size = 0;
	hash_bytes(state, text ? text : "", size);
	free(text);
}

/* Names and contents of all scenarios, the options, and the policy if that is a file. */
static json_t *hash_set(const json_t *options, const struct sl_check_options *o,
			const char *const *path, u32 count)
{
	char *text = json_dumps(options, JSON_COMPACT | JSON_SORT_KEYS);
	const char *policy = o->host.policy;
	XXH3_state_t *state = XXH3_createState();
	u64 plugin = 0, hash = 0;
	struct sl_err err;

	if (text && state) {
		XXH3_64bits_reset(state);
		hash_bytes(state, text, strlen(text));
		if (policy && scenario_is_plugin(policy, strlen(policy)) &&
		    plugin_file_hash(policy, &plugin, &err))
			plugin = 0;
		hash_bytes(state, &plugin, sizeof(plugin));
		for (u32 i = 0; i < count; i++)
			hash_scenario(state, path[i]);
		hash = XXH3_64bits_digest(state);
	}
	XXH3_freeState(state);
	free(text);
	return hash ? hex(hash) : NULL;
}

json_t *shard_head(const struct sl_check_options *o, const char *const *path, u32 count)
{
	json_t *options = options_write(o);
	u8 id[TRACE_BUILD_ID_MAX];
	char build[BUILD_TEXT_MAX];
	u32 id_size = trace_build_id(id);

	return json_pack("{s:i, s:I, s:I, s:I, s:o, s:s, s:s, s:o}", "format", SHARD_FORMAT, "k",
			 (json_int_t)o->shard, "n", (json_int_t)o->shards, "of", (json_int_t)count,
			 "set", hash_set(options, o, path, count), "version", sl_version(), "build",
			 build_text(id, id_size, build), "options", options);
}
