variable "bucket" {
  description = "Bucket of the chain of epochs; setting `bucket` of executor.yaml."
  type        = string
  default     = "convexfx-epochs"
}

variable "inbox_queue" {
  description = "Queue of signed orders; setting `inbox_queue` of executor.yaml. Its dead letters go to <name>-dlq."
  type        = string
  default     = "convexfx-inbox"
}

variable "region" {
  description = "AWS region."
  type        = string
  default     = "eu-central-1"
}

variable "endpoint" {
  description = "URL of a local AWS stand-in; empty means AWS."
  type        = string
  default     = ""

  validation {
    condition     = var.endpoint == "" || can(regex("^https?://", var.endpoint))
    error_message = "endpoint: expected an http(s) URL, or nothing for AWS."
  }
}

variable "object_lock_days" {
  description = "Days during which no version of an object can be deleted (governance mode); 0: no object lock. Fixed for the life of a bucket between 0 and not 0."
  type        = number
  default     = 365

  validation {
    condition     = var.object_lock_days >= 0 && floor(var.object_lock_days) == var.object_lock_days
    error_message = "object_lock_days: expected a whole number of days, 0 for none."
  }
}

variable "force_destroy" {
  description = "Whether destroy may empty the bucket. For stand-ins only."
  type        = bool
  default     = false
}

variable "visibility_timeout_s" {
  description = "Seconds for which a received message is hidden: more than a seal takes. No stage holds messages while proving; behind a receiver that died, orders wait this long."
  type        = number
  default     = 60

  validation {
    condition     = var.visibility_timeout_s >= 30 && var.visibility_timeout_s <= 43200
    error_message = "visibility_timeout_s: expected 30 to 43200 seconds."
  }
}
