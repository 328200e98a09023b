// /slots, and /slots/ID?action=save, restore or erase: what a slot holds, kept in files.
#include <algorithm>
#include <charconv>
#include <optional>

#include "server/api.h"

namespace plm::server {

namespace {

// Of letters, digits, '.', '-' and '_', not beginning with '.': it names a file in one folder on any system.
bool is_plain_file_name(std::string_view name) {
  constexpr size_t kLongest = 128;
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
  };
  return !name.empty() && name.size() <= kLongest && name.front() != '.' &&
         std::ranges::all_of(name, is_plain);
}

std::optional<int> slot_id(std::string_view path) {
  const std::string_view digits = path.substr(std::string_view("/slots/").size());
  int id = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
  if (error != std::errc() || end != digits.data() + digits.size() || id < 0) return {};
  return id;
}

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

int status_of(const Error& error) {
  switch (error.kind) {
    case ErrorKind::not_found:
      return 404;
    case ErrorKind::invalid_argument:
    case ErrorKind::bad_data:
      return 400;
    case ErrorKind::cancelled:
      return 503;
    default:
      return 500;
  }
}

}  // namespace

void Api::slots(Exchange& exchange) const {
  if (!options_.shows_slots) return exchange.fail(501, "slots are not shown here (--slots)");
  Json slots = Json::array();
  bool has_room = false;
  for (const auto& slot : scheduler_.snapshot().slots) {
    has_room = has_room || !slot.is_busy;
    slots.push_back({{"id", slot.id},
                     {"n_ctx", slot.capacity},
                     {"is_processing", slot.is_busy},
                     {"n_tokens", slot.n_tokens}});
  }
  if (!has_room && exchange.request.head.query == "fail_on_no_slot=1") {
    return exchange.fail(503, "no slot is free");
  }
  exchange.send(200, slots);
}

Result<Json> Api::save_slot(int id, const std::string& name) const {
  const auto start = Clock::now();
  PLM_TRY(const scheduler::SlotShape shape, scheduler_.slot_shape(options_.patience));
  PLM_TRY(const scheduler::SlotRows rows, scheduler_.copy_slot(id, options_.patience));
  PLM_TRY(const int64_t n_bytes,
          scheduler::write_slot_file(options_.slot_save_path + "/" + name, shape, rows));
  return Json{{"id_slot", id},
              {"filename", name},
              {"n_saved", rows.tokens.size()},
              {"n_written", n_bytes},
              {"timings", {{"save_ms", milliseconds_since(start)}}}};
}

Result<Json> Api::restore_slot(int id, const std::string& name) const {
  const auto start = Clock::now();
  PLM_TRY(const scheduler::SlotShape shape, scheduler_.slot_shape(options_.patience));
  // Read and checked before the slot is touched.
  auto file = scheduler::read_slot_file(options_.slot_save_path + "/" + name, shape);
  if (!file.ok()) {  // without the folder, which is none of the client's business
    const std::string& said = file.error().message;
    const size_t at = said.find(name);
    return Error{.kind = file.error().kind, .message = at == std::string::npos ? said : said.substr(at)};
  }
  PLM_TRY_STATUS(scheduler_.fill_slot(id, file->rows, options_.patience));
  return Json{{"id_slot", id},
              {"filename", name},
              {"n_restored", file->rows.tokens.size()},
              {"n_read", file->n_bytes},
              {"timings", {{"restore_ms", milliseconds_since(start)}}}};
}

void Api::slot_action(Exchange& exchange) const {
  if (options_.slot_save_path.empty()) {
    return exchange.fail(501, "slots are not saved here (--slot-save-path)");
  }
  const auto work = [&]() -> Result<Json> {
    const Fields fields(exchange.body);
    const auto id = slot_id(exchange.request.head.path);
    if (!id) return make_error(ErrorKind::invalid_argument, "the slot's id: expected a whole number");
    const std::string_view query = exchange.request.head.query;
    if (query == "action=erase") {
      PLM_TRY(const int64_t n_tokens, scheduler_.erase_slot(*id, options_.patience));
      return Json{{"id_slot", *id}, {"n_erased", n_tokens}};
    }
    if (query != "action=save" && query != "action=restore") {
      return make_error(ErrorKind::invalid_argument,
                        "the query: expected action=save, action=restore or action=erase");
    }
    PLM_TRY(const std::string name, fields.text("filename", ""));
    if (!is_plain_file_name(name)) {
      return fields.wrong("filename", "1 to 128 letters, digits, '.', '-' and '_', the first of them no '.'");
    }
    return query == "action=save" ? save_slot(*id, name) : restore_slot(*id, name);
  };
  const auto reply = work();
  if (!reply.ok()) return exchange.fail(status_of(reply.error()), reply.error().message);
  exchange.send(200, *reply);
}

}  // namespace plm::server
