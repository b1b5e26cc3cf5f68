/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * JSON output of the commands that report (--format json).  Text they print
 * themselves; for JSON they describe the same facts through this builder,
 * which json-c then writes.  The document is always an object that starts with
 *
 *	"__header": { "version": "1" }
 *
 * and keys come out in the order in which they were given.
 *
 *	struct format_ctx ctx;
 *
 *	format_begin(&ctx);
 *	format_array_begin(&ctx, "subvolumes");
 *	format_object_begin(&ctx, NULL);
 *	format_u64(&ctx, "id", 257);
 *	format_object_end(&ctx);
 *	format_array_end(&ctx);
 *	ret = format_end(&ctx, stdout);
 *
 * Inside an array keys are NULL.  A failure (no memory, nesting) is kept and
 * told by format_end(), so that the calls between need no checks.
 */
#ifndef BTRFS_COMMON_FORMAT_OUTPUT_H
#define BTRFS_COMMON_FORMAT_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "common/types.h"

enum output_format {
	OUTPUT_TEXT,
	OUTPUT_JSON,
};

/* "text" or "json"; -EINVAL for any other name. */
int output_format_parse(const char *name, enum output_format *format);

#define FORMAT_MAX_DEPTH 16

struct json_object;

struct format_ctx {
	struct json_object *open[FORMAT_MAX_DEPTH]; /* [0] is the document */
	int depth;				    /* containers open now */
	int err;				    /* the first failure, or 0 */
};

void format_begin(struct format_ctx *ctx);

/*
 * Write the document to @file and free it.  0, or a negative errno: of what
 * was built before, or of writing, in which case the output is not whole.
 */
int format_end(struct format_ctx *ctx, FILE *file);

/* Free without writing; for ways out on errors. */
void format_cancel(struct format_ctx *ctx);

void format_object_begin(struct format_ctx *ctx, const char *key);
void format_object_end(struct format_ctx *ctx);
void format_array_begin(struct format_ctx *ctx, const char *key);
void format_array_end(struct format_ctx *ctx);

void format_u64(struct format_ctx *ctx, const char *key, u64 value);
void format_s64(struct format_ctx *ctx, const char *key, s64 value);
void format_double(struct format_ctx *ctx, const char *key, double value);
void format_bool(struct format_ctx *ctx, const char *key, bool value);
void format_null(struct format_ctx *ctx, const char *key);
void format_string(struct format_ctx *ctx, const char *key, const char *str);
void format_stringf(struct format_ctx *ctx, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * A name or path from disk, any bytes.  JSON holds UTF-8 only: a name that is
 * not is given escaped as escape_path() does, and a second key "KEY_hex" with
 * the exact bytes follows (not in arrays, where there are no keys).
 */
void format_name(struct format_ctx *ctx, const char *key, const char *name, size_t len);

#endif
