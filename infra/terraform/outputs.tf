output "bucket" {
  description = "Setting `bucket` of executor.yaml."
  value       = module.storage.bucket
}

output "inbox_queue" {
  description = "Setting `inbox_queue` of executor.yaml."
  value       = module.inbox.queue
}

output "inbox_queue_url" {
  description = "Where wallets send."
  value       = module.inbox.queue_url
}

output "dead_letter_queue" {
  description = "Where messages end that were received five times without being sealed."
  value       = module.inbox.dead_letter_queue
}

output "wallet_policy_arn" {
  description = "To be attached to every identity that submits orders."
  value       = aws_iam_policy.wallet.arn
}

output "sealer_policy_arn" {
  description = "To be attached to the executor's role."
  value       = aws_iam_policy.sealer.arn
}
