variable "bucket" {
  description = "Name of the bucket."
  type        = string
}

variable "object_lock_days" {
  description = "Days of governance retention for every version; 0: no object lock."
  type        = number
}

variable "force_destroy" {
  description = "Whether destroy may empty the bucket."
  type        = bool
}

variable "policies" {
  description = "Folder of the policy texts."
  type        = string
}
